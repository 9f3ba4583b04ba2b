"""A report as Markdown: the tables and sentences of the page, without its charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.render.blocks import Block, Chart, Commands, Report, Section, Table, Tiles
from asc_experiments.report.render.terminal import as_markdown, in_markdown, markdown_table


def as_text(report: Report, findings: Sequence[Findings]) -> str:
    """The whole report; of each study first everybody side by side, then the sections.

    Args:
        report: the sections.
        findings: of the same studies, in the same order.
    """
    parts = [_section(section, 2) for section in report.front]
    several = len(findings) > 1
    for chapter, each in zip(report.chapters, findings, strict=True):
        parts += [f"# {in_markdown(chapter.study)}"] if several else []
        parts.append(f"**{in_markdown(each.heading)}**")
        parts.append(as_markdown(each.comparison).strip())
        parts.append("\n".join(f"- {in_markdown(name)}: {in_markdown(told)}" for name, told in chapter.facts))
        parts += [_section(_without_compared(section), 2) for section in chapter.sections]
    return "\n\n".join(part for part in parts if part) + "\n"


def _without_compared(section: Section) -> Section:
    """A section without the tables whose rows stand in the comparison already."""
    kept = tuple(block for block in section.blocks if not (isinstance(block, Table) and block.is_compared))
    return replace(section, blocks=kept)


def _section(section: Section, level: int) -> str:
    lines = [f"{'#' * level} {in_markdown(section.title)}"]
    lines += [drawn for block in section.blocks for drawn in _block(block)]
    if section.points:
        lines += [f"{section.points_title}:"] if section.points_title else []
        lines.append("\n".join(f"- {in_markdown(point)}" for point in section.points))
    return "\n\n".join(lines)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table) and block.scales:
        yield f"*{in_markdown(block.caption)}:* the numbers are in the table at the beginning."
    elif isinstance(block, Table):
        yield f"**{in_markdown(block.caption)}**"
        heads = [f"{column.heading} ({column.unit})" if column.unit else column.heading for column in block.columns]
        yield markdown_table(
            heads, [[_code(cell.plain) if cell.is_code else cell.plain for cell in row] for row in block.rows]
        )
    elif isinstance(block, Chart):
        yield f"*{in_markdown(block.title)}.* {in_markdown(block.alternative)}"
    elif isinstance(block, Commands):
        yield "\n".join(["```", *(line for _, line in block.lines), "```"])
    elif isinstance(block, Tiles):
        yield "\n".join(
            f"- {in_markdown(tile.label)}: {' '.join(filter(None, (tile.value, tile.spread)))}"
            + (f" ({in_markdown(tile.note)})" if tile.note else "")
            for tile in block.tiles
        )
    elif block:
        yield in_markdown(block)


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"
