"""What a report consists of, before it is drawn: sections of paragraphs, tables, charts and commands.

A page and a Markdown text are drawn from the same sections. Texts are plain: whoever draws them escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asc_experiments.report.words import MOST_ROWS

_LONG = 26
"""In characters: texts that are shorter stay in one line."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what is shown; empty where nothing is known.
        note: shown smaller behind it, such as ``± 2.1``.
        value: what a column is sorted by; None sorts by the text.
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
    """A column of a table; its unit stands under the heading."""

    heading: str
    unit: str = ""
    is_number: bool = True


@dataclass(frozen=True)
class Scale:
    """A scale of colours: what it measures, the values at its ends, its colours from one to the other."""

    what: str
    low: str
    high: str
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows.

    Attributes:
        caption: what it is, one line.
        marked: places of rows that are shown bold, such as the best.
        folded: whether it is folded away where a reader can unfold it.
        scales: what the colours of its cells mean, where it is a map.
        is_compared: whether the comparison of everybody, with which Markdown begins, has its rows too.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: frozenset[int] = frozenset()
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


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows, one line.
        figure: data and layout for plotly; colours are names of the page's style, such as ``var(--c1)``.
        alternative: the same in words, for who does not see it.
        height: in pixels.
        is_wide: whether it needs the width of the page.
    """

    title: str
    figure: Mapping[str, Any]
    alternative: str
    height: int = 360
    is_wide: bool = False


@dataclass(frozen=True)
class Commands:
    """Lines to be typed: into a shell, or ``python``."""

    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Tile:
    """A headline figure: a label, the number with its unit, its spread, what it means."""

    label: str
    value: str
    spread: str = ""
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """Headline figures."""

    tiles: tuple[Tile, ...]


Block = Table | Chart | Commands | Tiles | str
"""A string is a paragraph."""


@dataclass(frozen=True)
class Section:
    """A section: a heading and what stands below it.

    Attributes:
        name: a word, for links within the page.
        points: sentences that are listed: what is to be borne in mind, where they have a title.
        folded: whether only its title is shown until a reader unfolds it.
    """

    name: str
    title: str
    blocks: tuple[Block, ...] = ()
    points: tuple[str, ...] = ()
    points_title: str = "Before you believe it"
    folded: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show but the sentence that says so."""
        return len(self.blocks) == 1 and isinstance(self.blocks[0], str) and not self.points


@dataclass(frozen=True)
class Chapter:
    """The sections of one study; the first of them is its answer.

    Attributes:
        study: its name.
        description: its question.
        facts: what it was made with: headings and texts.
        sections: what it found.
    """

    study: str
    description: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: of the page.
        front: what studies have together; none for one study.
        chapters: one per study.
        written: what it was made from, for the last line.
    """

    title: str
    front: tuple[Section, ...]
    chapters: tuple[Chapter, ...]
    written: str = ""


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


def columns(*headings: str, texts: Sequence[str] = (), units: Mapping[str, str] | None = None) -> tuple[Column, ...]:
    """Columns by their headings; those among ``texts`` hold no numbers."""
    return tuple(Column(heading, (units or {}).get(heading, ""), heading not in texts) for heading in headings)


def finite(value: Any) -> Any:
    """The same without numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
