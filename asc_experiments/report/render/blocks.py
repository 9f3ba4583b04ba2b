"""What a report consists of, before it is drawn: sections of paragraphs, tables, charts and commands.

A page and a Markdown text are drawn from the same sections. Texts are plain: whoever draws them escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asc_experiments.report.render.table import Table


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
        sections: what it found.
        facts: what it was made with: headings and texts.
        heading: its answer in a sentence.
        everybody: all students and teachers in one table, with which Markdown begins; None where there are none.
    """

    study: str
    description: str
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...] = ()
    heading: str = ""
    everybody: Table | None = None


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


def finite(value: Any) -> Any:
    """The same without numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
