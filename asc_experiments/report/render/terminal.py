"""Tables on the terminal: whole where they fit, else in parts that each begin with the names of the rows."""

from __future__ import annotations

from rich.table import Table as RichTable

from asc_experiments.base.progress import WIDE, room, show
from asc_experiments.base.tables import needed_width
from asc_experiments.report.render.table import Table


def show_table(table: Table, widest: int = WIDE) -> None:
    """Print a table on standard output.

    Args:
        table: what is shown.
        widest: in characters, also where it is not a terminal that shows it.
    """
    for part in drawn(table, min(widest, room())):
        show(part, widest)


def drawn(table: Table, width: int) -> list[RichTable]:
    """A table as Rich draws it.

    Args:
        table: what is drawn.
        width: in characters; where the whole needs more, its columns go apart as :attr:`Table.narrow` has them.
    """
    whole = _rich(table)
    return [whole] if needed_width(whole, width) <= width else list(map(_rich, table.narrow))


def _rich(table: Table) -> RichTable:
    """One table; names of rows and numbers stay in one line."""
    made = RichTable(title=table.caption, caption="\n".join(table.notes), title_justify="left", caption_justify="left")
    names = next((place for place, column in enumerate(table.columns) if not column.spared), 0)
    for place, column in enumerate(table.columns):
        heading = f"{column.heading} {column.unit}".strip()
        made.add_column(heading, justify="right" if column.is_number else "left", no_wrap=place == names)
    for place, row in enumerate(table.rows):
        made.add_row(*(cell.plain for cell in row), end_section=place + 1 in table.breaks)
    return made
