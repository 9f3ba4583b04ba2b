"""Tables as wide as the terminal: headings and texts are broken into lines, numbers and names never are.

What is still too wide becomes several tables, each of which begins with the column that names the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from rich.cells import cell_len
from rich.table import Column, Table
from rich.text import Text

from asc_experiments.base.errors import written_out

_PADDING, _EDGE = 3, 1
"""In characters: what each column takes besides its text, and what the table does."""
_FEW, _MANY = 2, 3
"""A text that is longer than this part of the terminal, in a table of two columns or of more, is broken anywhere."""


@dataclass(frozen=True)
class _Measured:
    """A column: the width below which something is cut or broken, those at which cells, and all, are in one line."""

    column: Column
    least: int
    cells: int
    natural: int


def fitted(shown: Table | Text, width: int) -> list[Table | Text]:
    """A table as what a terminal shows of it whole: its title, one table or more, its caption. A text as it is.

    Args:
        shown: the table; its cells are texts, and those of columns with numbers are justified to the right.
        width: of the terminal, in characters.
    """
    if isinstance(shown, Text):
        return [shown]
    above = [Text(written_out(str(shown.title)), style="italic")] if shown.title else []
    below = [Text(written_out(str(shown.caption)), style="dim")] if shown.caption else []
    first, *others = _all_measured(shown, width)
    chunks = _chunks(others, width - _EDGE - _PADDING - first.least)
    return [*above, *(_part(shown, [first, *chunk], width) for chunk in chunks), *below]


def needed_width(table: Table, width: int) -> int:
    """How many characters a table needs to be one, on a terminal of a certain width."""
    return _EDGE + _taken(_all_measured(table, width))


def _all_measured(table: Table, width: int) -> list[_Measured]:
    longest = width // (_FEW if len(table.columns) <= _FEW else _MANY)
    return [_measured(column, longest) for column in table.columns]


def _measured(column: Column, longest: int) -> _Measured:
    heading = written_out(str(column.header))
    cells = [written_out(str(cell)) for cell in column.cells]
    longest_cell = max(map(_longest_line, cells), default=0)
    longest_word = max((cell_len(word) for text in (heading, *cells) for word in text.split()), default=0)
    heading_word = max(map(cell_len, heading.split()), default=0)
    if column.justify == "right":
        least = max(longest_cell, heading_word)
    else:
        least = min(max(longest_cell if column.no_wrap else longest_word, heading_word), longest)
    in_line = max(1, least, longest_cell)
    return _Measured(column, max(1, least), in_line, max(in_line, _longest_line(heading)))


def _longest_line(text: str) -> int:
    return max(map(cell_len, text.splitlines()), default=0)


def _chunks(columns: Sequence[_Measured], room: int) -> list[list[_Measured]]:
    """Columns in as few groups as fit beside the first column, of one size where that fits as well."""
    chunks: list[list[_Measured]] = [[]]
    for column in columns:
        if chunks[-1] and _taken([*chunks[-1], column]) > room:
            chunks.append([])
        chunks[-1].append(column)
    size = ceil(len(columns) / len(chunks))
    even = [list(columns[start : start + size]) for start in range(0, len(columns), size or 1)]
    return even if even and all(_taken(chunk) <= room for chunk in even) else chunks


def _taken(columns: Sequence[_Measured]) -> int:
    return sum(column.least + _PADDING for column in columns)


def _part(table: Table, columns: Sequence[_Measured], width: int) -> Table:
    """Some columns of a table, as a table of its own."""
    part = Table(show_header=table.show_header)
    for column, wide in zip(columns, _widths(columns, width), strict=True):
        part.add_column(column.column.header, justify=column.column.justify, width=wide, overflow="fold")
    cells = [list(column.column.cells) for column in columns]
    for row, values in zip(table.rows, zip(*cells, strict=True), strict=True):
        part.add_row(*values, end_section=row.end_section)
    return part


def _widths(columns: Sequence[_Measured], width: int) -> list[int]:
    """The width of each column: what is left goes to those that need most, for their cells first."""
    widths = [column.least for column in columns]
    left = width - _EDGE - _taken(columns)
    for wanted in ([column.cells for column in columns], [column.natural for column in columns]):
        while left > 0:
            lacking = [full - wide for full, wide in zip(wanted, widths, strict=True)]
            if max(lacking) <= 0:
                break
            widths[lacking.index(max(lacking))] += 1
            left -= 1
    return widths
