"""How a report looks: blocks of pages and tables, as HTML, Markdown, CSV and terminal text."""
