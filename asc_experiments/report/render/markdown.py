"""A report as Markdown: the tables and sentences of the page, without its charts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from asc_experiments.report.render.blocks import Block, Chart, Commands, Report, Section, Tiles
from asc_experiments.report.render.table import Cell, Table


def as_text(report: Report) -> str:
    """The whole report; of each study first everybody side by side, then the sections."""
    parts = [_section(section, 2) for section in report.front]
    for chapter in report.chapters:
        parts += [f"# {in_markdown(chapter.study)}"] if len(report.chapters) > 1 else []
        parts.append(f"**{in_markdown(chapter.heading)}**")
        parts += [] if chapter.everybody is None else _block(chapter.everybody)
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
        lines.append(_list(section.points))
    return "\n\n".join(lines)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table) and block.scales:
        yield f"*{in_markdown(block.caption)}:* the numbers are in the table at the beginning."
    elif isinstance(block, Table):
        yield f"**{in_markdown(block.caption)}**"
        yield markdown_table(block)
        if block.notes:
            yield _list(block.notes)
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


def in_markdown(text: str) -> str:
    """A text as it stands in Markdown: in one line, no HTML, no end of a cell."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def markdown_table(table: Table) -> str:
    """A table whose columns line up, without its caption."""
    heads = [f"{column.heading} ({column.unit})" if column.unit else column.heading for column in table.columns]
    cells = [list(map(in_markdown, heads)), *([in_markdown(_told(cell)) for cell in row] for row in table.rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(heads))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _told(cell: Cell) -> str:
    return f"`{cell.plain.replace('`', '')}`" if cell.is_code else cell.plain


def _list(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {in_markdown(line)}" for line in lines)
