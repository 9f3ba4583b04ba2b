"""Draw a comparison as a table for the terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from asc_experiments.base.progress import fits
from asc_experiments.report.comparison import GROUPS, Comparison


def comparison_cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of a comparison; accuracies and DG in percent."""
    headings = ["", "student or teacher", "objective", "overall", *GROUPS, "DG", *comparison.devices, "params", "MMACs"]
    rows = []
    for row in comparison.rows:
        about = f"{row['name']} ({row['trained']})" if row["kind"] == "student" else row["name"]
        scores = [row["overall"], *(row[group] for group in GROUPS), row["DG"]]
        scores += [row["devices"][device] for device in comparison.devices]
        macs = "" if row["macs"] is None else f"{row['macs'] / 1e6:.1f}"
        parameters = "" if row["parameters"] is None else f"{row['parameters']:,.0f}"
        objective = "" if row["objective"] is None else f"{row['objective']:.4f}"
        rows.append([row["kind"], about, objective, *map(percent, scores), parameters, macs])
    return headings, rows


def percent(value: float | None) -> str:
    """A part of one in percent with one digit, or nothing."""
    return "" if value is None else f"{100 * value:.1f}"


def as_markdown(comparison: Comparison) -> str:
    """The comparison as a Markdown table, with the teachers of each student below."""
    headings, rows = comparison_cells(comparison)
    legend = "\n".join(f"- {line}" for line in _legend(comparison).splitlines())
    return f"{caption(comparison)}\n\n{markdown_table(headings, rows)}\n\n{legend}\n"


def as_tables(comparison: Comparison) -> list[Table]:
    """The comparison as one Rich table, or as two on a terminal too narrow for it: groups, then devices."""
    headings, rows = comparison_cells(comparison)
    whole = _table(caption(comparison), _legend(comparison), headings, rows)
    if fits(whole):
        return [whole]
    devices = set(comparison.devices)
    per_device = [number for number, heading in enumerate(headings) if heading in devices]
    groups = [number for number in range(len(headings)) if number not in per_device]
    return [
        _table(title, legend, [headings[n] for n in chosen], [[row[n] for n in chosen] for row in rows])
        for title, legend, chosen in (
            (caption(comparison), "", groups),
            ("the same per device", _legend(comparison), [0, 1, *per_device]),
        )
    ]


def _table(title: str, legend: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, caption=legend, title_justify="left", caption_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    before = ""
    for row in rows:
        if before and row[0] != before:
            table.add_section()
        before = row[0]
        table.add_row(*row)
    return table


def caption(comparison: Comparison) -> str:
    """What the rows are and how they were chosen."""
    chosen = f"chosen by {comparison.objective} on the {comparison.split} split"
    return f"{comparison.study}: accuracy in % on the test fold, best first, {chosen}"


def _legend(comparison: Comparison) -> str:
    students = [row for row in comparison.rows if row["kind"] == "student"]
    return "\n".join(f"{row['name']}: taught by {row['teachers']}" for row in students)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table whose columns line up."""
    cells = [list(map(str, headings)), *[list(map(str, row)) for row in rows]]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(headings))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
