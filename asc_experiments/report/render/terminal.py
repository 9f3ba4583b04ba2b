"""Draw a comparison as a table for the terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from asc_experiments.base.progress import fits
from asc_experiments.metrics import METRICS, Metric, is_part_of_one
from asc_experiments.report.analysis.comparison import Comparison
from asc_experiments.report.analysis.pareto import non_dominated
from asc_experiments.report.data.study_runs import GROUPS, group_word
from asc_experiments.report.render.blocks import first_of
from asc_experiments.report.words import MOST_ROWS, difference_of, duration, interval_of, short_name

_NAMES = "student or teacher"
_CELLS_SHOWN = 12
"""How many of a grid's cells without a trial a plan names."""


def comparison_cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of a comparison; accuracies and DG in percent."""
    front = pareto_front(comparison)
    groups = [name for name in GROUPS if name != "held_out" or any(row[name] is not None for row in comparison.rows)]
    named = map(group_word, groups)
    headings = ["", _NAMES, "objective", "overall", *named, "DG"]
    further = _further_metrics(comparison)
    headings += [*(metric.title for metric in further), *comparison.devices, "params", "MMACs"]
    rows = []
    for row in comparison.shown:
        about = f"{row['name']} ({row['trained']})" if row["kind"] == "student" else row["name"]
        about += " *" if row["run_id"] in front else ""
        scores = [percent(row[name], row["std"].get(name)) for name in ("overall", *groups, "DG")]
        scores += [_further(metric, row["further"].get(metric.title)) for metric in further]
        scores += [percent(row["devices"][device]) for device in comparison.devices]
        macs = "" if row["macs"] is None else f"{row['macs'] / 1e6:.1f}"
        parameters = "" if row["parameters"] is None else f"{row['parameters']:,.0f}"
        objective = "" if row["objective"] is None else _value(comparison.objective, row["objective"])
        rows.append([row["kind"], about, objective, *scores, parameters, macs])
    return headings, rows


def _further_metrics(comparison: Comparison) -> list[Metric]:
    return [metric for metric in METRICS.values() if any(metric.title in row["further"] for row in comparison.rows)]


def _further(metric: Metric, value: float | None) -> str:
    """A metric of another package in its own unit, or nothing."""
    return percent(value) if value is None or metric.unit == "%" else f"{value:.4f}"


def pareto_front(comparison: Comparison) -> set[str]:
    """The run ids of students that no other beats in both objectives; empty where a study has one."""
    if not comparison.against:
        return set()
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in (comparison.direction, comparison.against[1])]
    students = comparison.students
    front = non_dominated([(signs[0] * row["objective"], signs[1] * row["against"]) for row in students])
    return {students[place]["run_id"] for place in front}


def _value(metric: str, value: float, std: float | None = None) -> str:
    """A value of a metric without its unit: in percent where it is a part of one."""
    if is_part_of_one(metric):
        return percent(value, std)
    return f"{value:.4f}" + ("" if std is None else f" ± {std:.4f}")


def percent(value: float | None, std: float | None = None) -> str:
    """A part of one in percent with one digit, or nothing; with its standard deviation over seeds, if known."""
    if value is None:
        return ""
    return f"{100 * value:.1f}" + ("" if std is None else f" ± {100 * std:.1f}")


def replicate_cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the trials that were tried again with fresh seeds, best first; none if there are none."""
    headings = ["tried again", "fresh seeds", comparison.objective]
    on_test = ["difference in the test fold", "95 % interval"] if comparison.split != "test" else []
    headings += [*on_test, f"difference on the {comparison.split} split", "95 % interval"]
    tried = [row for row in comparison.rows if row.get("replicated")]
    rows = []
    for row in sorted(
        tried, key=lambda row: row["replicated"]["objective"], reverse=comparison.direction == "maximize"
    ):
        again = row["replicated"]
        reached = _value(comparison.objective, again["objective"], again["std"])
        cells = [row["name"], str(again["seeds"]), reached]
        shown = [again["test"], again] if on_test else [again]
        if again["difference"] is None:
            rows.append([*cells, "baseline", *("" for _ in range(2 * len(shown) - 1))])
        else:
            rows.append(cells + [cell for values in shown for cell in _difference(comparison.objective, values)])
    return headings, rows


def _difference(metric: str, values: Mapping[str, float | None]) -> tuple[str, str]:
    """A difference in a metric and its interval; nothing where it was not measured."""
    value, low, high = values["difference"], values["low"], values["high"]
    if value is None:
        return "", ""
    interval = "not known with one seed" if low is None or high is None else interval_of(metric, low, high)
    return difference_of(metric, value), interval


def published_cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the published figures, in percent."""
    names = list(dict.fromkeys(name for figure in comparison.published for name in figure["metrics"]))
    headings = [
        "published (ours)",
        *map(short_name, names),
    ]
    rows = [[f["name"], *(_beside_ours(f, name) for name in names)] for f in comparison.published]
    return headings, rows


def _beside_ours(figure: Mapping[str, Any], name: str) -> str:
    """A published figure, and ours in brackets where the trial that stands for it has finished."""
    ours = figure.get("ours", {}).get(name)
    return percent(figure["metrics"].get(name)) + ("" if ours is None else f" ({percent(ours)})")


def as_markdown(comparison: Comparison) -> str:
    """The comparison as a Markdown table, with the teachers of each student below."""
    headings, rows = comparison_cells(comparison)
    legend = "\n".join(f"- {in_markdown(line)}" for line in _legend(comparison).splitlines())
    again = replicate_cells(comparison)
    replicates = f"\n{markdown_table(*again)}\n" if again[1] else ""
    if comparison.published:
        replicates += f"\n{markdown_table(*published_cells(comparison))}\n"
    return f"{in_markdown(caption(comparison))}\n\n{markdown_table(headings, rows)}\n\n{legend}\n{replicates}"


def as_tables(comparison: Comparison) -> list[Table]:
    """The comparison as one Rich table, or as two on a terminal too narrow for it: groups, then devices.

    Rows of the two are named by the column that names them in the one.
    """
    headings, rows = comparison_cells(comparison)
    again = replicate_cells(comparison)
    replicates = [_table("the best and the baseline, tried again", "", *again)] if again[1] else []
    if comparison.published:
        replicates.append(_table("published", "", *published_cells(comparison)))
    whole = _table(caption(comparison), _legend(comparison), headings, rows)
    if fits(whole):
        return [whole, *replicates]
    devices = set(comparison.devices)
    per_device = [number for number, heading in enumerate(headings) if heading in devices]
    groups = [number for number in range(1, len(headings)) if number not in per_device]
    kinds = [row[0] for row in rows]
    parts = ((caption(comparison), "", groups), ("the same per device", _legend(comparison), [1, *per_device]))
    narrow = [
        _table(title, legend, [headings[n] for n in chosen], [[row[n] for n in chosen] for row in rows], kinds)
        for title, legend, chosen in parts
    ]
    return narrow + replicates


def students_table(comparison: Comparison) -> Table:
    """The students, best first, with what they learned from: a row in few columns."""
    table = Table(title="accuracy in % on the test fold, best first", title_justify="left")
    for heading in ("student", "taught by", "overall", "unseen", "DG"):
        is_text = heading in ("student", "taught by")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading == "student")
    for row in comparison.students[:MOST_ROWS]:
        scores = (percent(row[name], row["std"].get(name)) for name in ("overall", "unseen", "DG"))
        table.add_row(row["name"], row["teachers"] or "labels alone", *scores)
    return table


def plan_table(facts: dict[str, Any]) -> Table:
    """What a study will cost, from the facts of its plan."""
    about = "" if facts["exact"] else "about "
    title = f"{facts['study']}: {facts['trials']} trials, {facts['finished']} of them finished"
    caption = f"{about}{facts['teachers']} distinct teachers, {facts['teachers_in_bank']} of them in the bank; {about}"
    caption += f"{facts['trainings']} trainings, {duration(3600 * facts['hours'])} one after another on this machine"
    if facts["finished"] >= facts["trials"]:
        caption = "nothing is left to train: every trial has finished"
    caption = "\n".join([caption, *(f"objective: {each['note']}" for each in facts["objectives"])])
    caption = "\n".join([caption, _own_augment(facts), *_held_out(facts), *_left_out(facts), facts["luck"]]).strip()
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for heading in ("role", "network", "distinct", "in bank", "epochs", "each", "together"):
        table.add_column(heading, justify="left" if heading in ("role", "network") else "right", no_wrap=True)
    for row in facts["rows"]:
        counts = (str(row[key]) for key in ("distinct", "in_bank", "epochs"))
        table.add_row(row["role"], row["name"], *counts, duration(row["seconds"]), duration(3600 * row["hours"]))
    return table


def _own_augment(facts: dict[str, Any]) -> str:
    """How students are augmented themselves: what hides the effect of their teachers' augmentation."""
    augments = facts["student_augments"]
    said = f"students are trained with augment {' or '.join(augments)} themselves"
    if augments and "none" not in augments:
        return f"{said}, which can hide what their teachers' augment gives them (student.augment: none shows it)"
    return said


def _held_out(facts: dict[str, Any]) -> list[str]:
    """How many clips of held-out devices a study validates on."""
    lines = []
    for device, clips in facts["held_out_devices"].items():
        line = f"validates on {clips['validated']} of the {clips['of']} training clips of held-out device {device}"
        if clips["validated"] < clips["of"]:
            line += "; more of their places: validation.held_out_device_clips most or all"
        lines.append(line)
    return lines


def _left_out(facts: dict[str, Any]) -> list[str]:
    """The cells of a grid that have no trial, and how evenly the others have each value."""
    cells = facts["left_out"]
    if not cells:
        return []
    shown = "; ".join(" ".join(f"{name}={value}" for name, value in cell.items()) for cell in cells[:_CELLS_SHOWN])
    more = f"; and {len(cells) - _CELLS_SHOWN} more" if len(cells) > _CELLS_SHOWN else ""
    counts = [
        f"{name} " + ", ".join(f"{value}: {count}" for value, count in values.items())
        for name, values in facts["values"].items()
    ]
    whole = facts["trials"] + len(cells)
    return [f"left out {len(cells)} of {whole} cells: {shown}{more}", "trials with each value: " + "; ".join(counts)]


def _table(
    title: str,
    legend: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    kinds: Sequence[str] = (),
) -> Table:
    """A table for the terminal.

    Args:
        title: above it.
        legend: below it.
        headings: a blank one, and those of names, are over texts; others over numbers.
        rows: the cells.
        kinds: what kind of row each is, with a line between two kinds; by default its first cell.
    """
    table = Table(title=title, caption=legend, title_justify="left", caption_justify="left")
    for number, heading in enumerate(headings):
        is_text = number == 0 or heading == _NAMES
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    kinds = kinds or [row[0] for row in rows]
    before = ""
    for kind, row in zip(kinds, rows, strict=True):
        if kind in ("student", "teacher") and before not in ("", kind):
            table.add_section()
        before = kind
        table.add_row(*row)
    return table


def caption(comparison: Comparison) -> str:
    """What the rows are and how they were chosen."""
    chosen = f"chosen by {comparison.clips or f'{comparison.objective} on the {comparison.split} split'}"
    if comparison.against:
        chosen += f" against {comparison.against[0]}, * on the Pareto front"
    trials = len(comparison.students)
    if comparison.pooled:
        chosen += f"; {comparison.pooled} more trials with the settings of another are pooled with it"
    chosen += f"; {first_of(trials)}" if trials > MOST_ROWS else ""
    return f"{comparison.study}: accuracy in % on the test fold, best first, {chosen}"


def _legend(comparison: Comparison) -> str:
    students = comparison.students[:MOST_ROWS]
    taught = [f"{row['name']}: {_taught(row['teachers'])}" for row in students]
    return "\n".join([*taught, *(metric.sentence for metric in _further_metrics(comparison))])


def _taught(teachers: str) -> str:
    return f"taught by {teachers}" if teachers and teachers != "labels alone" else "on labels alone"


def in_markdown(value: object) -> str:
    """A text as it stands in Markdown: in one line, no HTML, no end of a cell."""
    return " ".join(str(value).split()).replace("<", "&lt;").replace("|", "\\|")


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table whose columns line up."""
    cells = [[in_markdown(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(headings))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
