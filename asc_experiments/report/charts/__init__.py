"""Charts as plotly takes them: plain data and layout, from numbers that were computed elsewhere."""
