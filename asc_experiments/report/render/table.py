"""The one type of table: made once from what was found, rendered by a page, Markdown, CSV and the terminal.

Texts are plain: whoever renders them escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asc_experiments.metrics import is_part_of_one

MOST_ROWS = 100
"""What a table shows of thousands of trials; ``csv`` and ``json`` hold them all."""
_LONG = 26
"""In characters: texts that are shorter stay in one line."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what is shown; empty where nothing is known.
        note: shown smaller behind it, such as ``± 2.1``.
        value: with all its digits: what a column is sorted by, and what CSV holds; None for a text.
        is_code: whether it is a command or a key.
        fill, ink: colours of a cell of a map and of its text, ``#rrggbb``; empty: the table's.
    """

    text: str
    note: str = ""
    value: float | None = None
    is_code: bool = False
    fill: str = ""
    ink: str = ""

    @property
    def plain(self) -> str:
        """Both in one line."""
        return f"{self.text} {self.note}".strip()


@dataclass(frozen=True)
class Column:
    """A column of a table; its unit stands under the heading.

    Attributes:
        heading, unit: what stands above it.
        is_number: whether its cells are numbers, which line up to the right and are never broken into lines.
        apart: where a terminal is too narrow, what a table of this and the like columns is called; empty: it stays.
        spared: whether it is left out where a terminal is too narrow.
    """

    heading: str
    unit: str = ""
    is_number: bool = True
    apart: str = ""
    spared: bool = False


@dataclass(frozen=True)
class Scale:
    """A scale of colours: what it measures, the values at its ends, its colours from one to the other."""

    what: str
    low: str
    high: str
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table; its first column that is not spared names the rows.

    Attributes:
        caption: what it is, one line.
        notes: what must be known to read it, a line each, below.
        marked: places of rows that are shown bold, such as the best.
        breaks: places of rows before which a line is drawn.
        folded: whether it is folded away where a reader can unfold it.
        scales: what the colours of its cells mean, where it is a map.
        is_compared: whether the comparison of everybody, with which Markdown begins, has its rows too.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    marked: frozenset[int] = frozenset()
    breaks: frozenset[int] = frozenset()
    folded: bool = False
    scales: tuple[Scale, ...] = ()
    is_compared: bool = False

    @property
    def shortened(self) -> Table:
        """The same with its first rows only, where it has more than anybody reads."""
        if len(self.rows) <= MOST_ROWS:
            return self
        return replace(self, caption=f"{self.caption}; {first_of(len(self.rows))}", rows=self.rows[:MOST_ROWS])

    @property
    def wide_columns(self) -> frozenset[int]:
        """The places of the columns whose texts are long enough to be broken into lines."""
        longest = [max((len(row[place].text) for row in self.rows), default=0) for place in range(len(self.columns))]
        return frozenset(place for place, length in enumerate(longest) if length > _LONG)

    def of(self, places: Sequence[int]) -> Table:
        """The same of some of its columns.

        Args:
            places: of the columns, in the order that they then have.
        """
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, columns=tuple(self.columns[place] for place in places), rows=rows)

    @property
    def narrow(self) -> tuple[Table, ...]:
        """The same as several tables that begin with the names: what stays, then the columns that go apart."""
        kept = [place for place, column in enumerate(self.columns) if not column.spared]
        names = {self.columns[place].apart: "" for place in kept}
        parts = []
        for name in names:
            own = [place for place in kept if self.columns[place].apart == name]
            parts.append(replace(self.of([kept[0], *own] if name else own), caption=name or self.caption, notes=()))
        return (*parts[:-1], replace(parts[-1], notes=self.notes))


def first_of(rows: int) -> str:
    """What a caption says of a table that is shortened."""
    return f"the first {MOST_ROWS} of {rows:,}, all with --format csv"


def text(value: object) -> Cell:
    """A cell of text."""
    return Cell(str(value))


def code(value: str) -> Cell:
    """A cell with a command or a key."""
    return Cell(value, is_code=True)


def percent(value: float | None, std: float | None = None) -> Cell:
    """A part of one in percent with one digit, with its standard deviation over seeds."""
    if value is None or not math.isfinite(value):
        return Cell("")
    return Cell(f"{100 * value:.1f}", "" if std is None else f"± {100 * std:.1f}", value)


def points(value: float | None, error: float | None = None) -> Cell:
    """A difference of parts of one in percentage points, with its sign."""
    if value is None or not math.isfinite(value):
        return Cell("")
    return Cell(f"{100 * value:+.1f}", "" if error is None else f"± {100 * error:.1f}", value)


def number(value: float | None, form: str = ",.0f", note: str = "") -> Cell:
    """A number in a given form."""
    if value is None or not math.isfinite(value):
        return Cell("")
    return Cell(format(value, form), note, value)


def score(metric: str, value: float | None, std: float | None = None) -> Cell:
    """A metric in its own unit, with its standard deviation over seeds: in percent where it is a part of one."""
    if is_part_of_one(metric):
        return percent(value, std)
    return number(value, ".4f", "" if std is None else f"± {std:.4f}")


def columns(*headings: str, texts: Sequence[str] = (), units: Mapping[str, str] | None = None) -> tuple[Column, ...]:
    """Columns by their headings; those among ``texts`` hold no numbers."""
    return tuple(Column(heading, (units or {}).get(heading, ""), heading not in texts) for heading in headings)
