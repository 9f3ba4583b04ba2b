"""A report as one HTML file that needs nothing else: no network, no other file.

Charts are drawn by plotly's own script, which is part of the page. What people named is escaped three times over: by
Jinja2 in the page, in the charts' texts, and in their JSON. And the page forbids all but its own scripts, by their
digests, so that nothing that slipped through would run.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from asc_experiments.report.render.blocks import Block, Chart, Commands, Report, Section, Tiles, finite
from asc_experiments.report.render.table import Table

_TEMPLATES = "templates"
_TWO_COLUMNS = 350
"""In characters: sentences that fill two columns of a wide page."""


def page(report: Report) -> str:
    """The whole page, UTF-8 text."""
    charts: dict[str, Any] = {}
    scripts = (get_plotlyjs(), _file("page.js"))
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {_digests(scripts)}"
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            parts=[_Part(chapter.study, index, len(report.chapters)) for index, chapter in enumerate(report.chapters)],
            policy=f"{policy}; base-uri 'none'; form-action 'none'",
            style=Markup(_file("page.css")),  # noqa: S704 - a file of ours
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - plotly's and ours
            charts=charts,
            kind=kind_of,
            arranged=arranged,
            draw=lambda name, chart: _draw(charts, name, chart),
        )
    )


@dataclass(frozen=True)
class _Part:
    """What a chapter's links begin with: nothing where there is one study."""

    study: str
    index: int
    of: int

    def link(self, section: Section) -> str:
        """The name of a section within the page."""
        return section.name if self.of == 1 else f"study-{self.index + 1}-{section.name}"


def kind_of(block: Block) -> str:
    """Which part of the template draws a block."""
    kinds = {Table: "table", Chart: "chart", Commands: "commands", Tiles: "tiles"}
    return kinds.get(type(block), "paragraph")


@dataclass(frozen=True)
class Group:
    """Blocks of a section that stand together.

    Attributes:
        kind: ``beside``: sentences and a figure, side by side where a page is wide; ``prose``; ``charts``: several in
            columns; ``chart``: one, with its words beside it; ``block``: a table or a wide chart, over the whole width.
        blocks: the sentences, tiles and commands, or the table.
        charts: the charts.
    """

    kind: str
    blocks: tuple[Block, ...] = ()
    charts: tuple[Chart, ...] = ()

    @property
    def is_long(self) -> bool:
        """Whether its sentences fill two columns."""
        texts = [block for block in self.blocks if isinstance(block, str)]
        return len(texts) == len(self.blocks) > 1 and sum(map(len, texts)) > _TWO_COLUMNS


def arranged(section: Section) -> list[Group]:
    """The blocks of a section in groups: sentences with the figure that follows them, figures with each other."""
    found: list[Group] = []
    for block in section.blocks:
        last = found[-1] if found else Group("")
        if isinstance(block, Table) or (isinstance(block, Chart) and block.is_wide):
            found.append(Group("block", (block,)))
        elif not isinstance(block, Chart):
            if last.kind == "prose":
                found[-1] = Group("prose", (*last.blocks, block))
            elif block:
                found.append(Group("prose", (block,)))
        elif last.kind == "prose":
            found[-1] = Group("beside", last.blocks, (block,))
        elif last.kind in ("chart", "charts"):
            found[-1] = Group("charts", (), (*last.charts, block))
        else:
            found.append(Group("chart", (), (block,)))
    return found


def _draw(charts: dict[str, Any], name: str, chart: Chart) -> str:
    """Keep a chart for the page's script; the name of its place."""
    place = f"{name}-chart-{len(charts) + 1}"
    charts[place] = finite(chart.figure)
    return place


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = PackageLoader("asc_experiments.report.render", _TEMPLATES)
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["unbroken"] = _unbroken
    return made


def _unbroken(text: str) -> str:
    """A sentence whose numbers stay in one line with their percent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _file(name: str) -> str:
    return (files("asc_experiments.report.render") / _TEMPLATES / name).read_text(encoding="utf-8").strip()


def _digests(scripts: tuple[str, ...]) -> str:
    """The scripts that may run, by the digest of their text."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
