"""A table as CSV (RFC 4180): numbers with all their digits.

Names that a spreadsheet would take for a formula get an apostrophe in front; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io

from asc_experiments.report.render.table import Cell, Table

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(table: Table) -> str:
    """Its headings and rows; lines end in CR LF."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([harmless(column.heading) for column in table.columns])
    writer.writerows(map(_written, row) for row in table.rows)
    return file.getvalue()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula; what reads as a number stays as it is."""
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _written(cell: Cell) -> str | float:
    return harmless(cell.text) if cell.value is None else cell.value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
