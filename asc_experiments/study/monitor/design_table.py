"""Designs that fit into a time, as a table."""

from __future__ import annotations

from typing import Any

from asc_experiments.metrics import is_part_of_one
from asc_experiments.report.render.table import Cell, Table, columns, number, text
from asc_experiments.report.words import counted, duration, listed
from asc_experiments.statistics import CONFIDENCE
from asc_experiments.study.monitor.comparison import BEST, TEACHERS


def design_table(facts: dict[str, Any]) -> Table:
    """The designs of a proposal, from its facts; the recommended one is marked."""
    some = {name for name in ("teachers", "cut") if any(design[name] for design in facts["designs"])}
    heads = ["epochs", *({"teachers"} & some), "seeds", "trials", "takes", "±", "tells"]
    heads += ["cut", "rank"] if "cut" in some else []
    rows = [_row(design, facts["metric"], heads) for design in facts["designs"]]
    at_once = "" if facts["workers"] == 1 else f", {facts['workers']} workers"
    caption = f"designs within {duration(facts['seconds'])}{at_once}; {facts['metric']} on test clips (* recommended)"
    marked = frozenset(place for place, design in enumerate(facts["designs"]) if design["recommended"])
    notes = (_reads(facts), _compared(facts), *_scatter(facts), *_cuts(facts), _changes(facts))
    return Table(caption, columns(*heads), tuple(rows), tuple(filter(None, notes)), marked)


def _row(design: dict[str, Any], metric: str, heads: list[str]) -> tuple[Cell, ...]:
    cut = design["cut"]
    cells = {
        "epochs": text(f"* {design['epochs']}" if design["recommended"] else design["epochs"]),
        **{name: number(design[name], "d") for name in ("teachers", "seeds", "trials")},
        "takes": text(duration(design["seconds"])),
        "±": text(_size(metric, design["half_width"])),
        "tells": text("none" if _is_beyond(metric, design["detects"]) else _size(metric, design["detects"])),
        "cut": text("" if cut is None else _size(metric, -cut["below"], signed=True)),
        "rank": number(cut and cut["rank"], ".2f"),
    }
    return tuple(cells[name] for name in heads)


def _reads(facts: dict[str, Any]) -> str:
    """What the columns are."""
    unit = ", both in points" if is_part_of_one(facts["metric"]) else ""
    interval = f"half of the {100 * CONFIDENCE:.0f} % interval of a difference, on average"
    return f"±: {interval}; tells: the true difference that four of five such studies tell apart{unit}"


def _compared(facts: dict[str, Any]) -> str:
    """What the interval is of."""
    among = facts["comparisons"]
    widened = "" if among == 1 else f"; widened for {among:,} comparisons"
    if facts["compares"] == BEST:
        return f"compared: the best trial and another, as they are, for other seeds and places{widened}"
    values = listed([f"{value} ({counted(trials, 'trial')})" for value, trials in facts["values"].items()])
    of = "other teachers of the kind, " if facts["of_other_teachers"] else ""
    alone = "" if facts["of_other_teachers"] else ", with these very teachers"
    what = "two kinds of teachers" if facts["compares"] == TEACHERS else f"two values of {facts['compares']}"
    return f"compared: {what}: {values}; for {of}other seeds and places{alone}{widened}"


def _scatter(facts: dict[str, Any]) -> list[str]:
    """How far students, teachers and places scatter, and how that is known."""
    measured, metric = facts["measured"], facts["metric"]
    sizes = {name: _size(metric, value) for name, value in facts["deviations"].items()}
    known = {name: "measured" if number_of else "assumed" for name, number_of in measured.items()}
    if measured["students"]:
        off = 100 / (2 * measured["students"]) ** 0.5
        students = f"measured, ± {off:.0f} %, in {listed(facts['studies'], 3)} of {facts['epochs_measured']} epochs"
    else:
        students = "assumed, as no study on this corpus tells"
    clips = f"{counted(facts['clips'], 'test clip')} at {counted(facts['places'], 'place')}"
    return [
        f"students of a recipe scatter by {sizes['students']} ({students}); teachers of a kind by {sizes['teachers']} "
        f"({known['teachers']})",
        f"{clips}: they alone move a difference by {sizes['places']} ({known['pairs']}), however many seeds there are",
    ]


def _cuts(facts: dict[str, Any]) -> list[str]:
    """What fewer epochs change, and how that is known."""
    curves = facts["curves"]
    if all(design["part"] == 1 for design in facts["designs"]):
        return []
    if curves is None:
        return ["what fewer epochs change is not known: no earlier study on this corpus has curves of held-out clips"]
    return [
        f"cut: how far {counted(curves['students'], 'curve')} of students ({curves['metric']} on held-out clips) were "
        "from their last epoch, there: at worst, as a training of so few epochs lowers its learning rate in time",
        "rank: how trials stood there beside how they stood at the last epoch (Spearman); where they differed less "
        "there than at the last, tells is of a difference that is larger by as much",
    ]


def _changes(facts: dict[str, Any]) -> str:
    """What makes the study the recommended one."""
    told = [f"{name}: {value}" for name, value in facts["settings"].items() if name not in ("name", "ensemble.pool")]
    if "ensemble.pool" in facts["settings"]:
        told.append("ensemble.pool: as below")
    return f"to change in the study: {'; '.join(told)}" if told else "the study is the recommended one as it is"


def _is_beyond(metric: str, difference: float | None) -> bool:
    """Whether no two recipes can differ by so much."""
    return difference is None or (is_part_of_one(metric) and difference > 1)


def _size(metric: str, value: float, signed: bool = False) -> str:
    """A difference: in points where the metric is a part of one."""
    scale, digits = (100, 1) if is_part_of_one(metric) else (1, 4)
    return f"{scale * value:{'+' if signed else ''}.{digits}f}"
