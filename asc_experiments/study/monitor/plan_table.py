"""What a study will cost, as a table."""

from __future__ import annotations

from typing import Any

from asc_experiments.report.render.table import Table, columns, number, text
from asc_experiments.report.words import duration

_CELLS_SHOWN = 12
"""How many of a grid's cells without a trial are named."""


def plan_table(facts: dict[str, Any]) -> Table:
    """What a study will cost, from the facts of its plan."""
    heads = ("network", "distinct", "in bank", "epochs", "each", "together")
    rows = tuple(
        (
            text(f"{row['role']} {row['name']}"),  # where columns go apart, each part says what its rows are
            *(number(row[key], "d") for key in ("distinct", "in_bank", "epochs")),
            text(duration(row["seconds"])),
            text(duration(3600 * row["hours"])),
        )
        for row in facts["rows"]
    )
    caption = f"{facts['study']}: {facts['trials']} trials, {facts['finished']} of them finished"
    notes = (
        facts["too_many"],
        _trainings(facts),
        _with_workers(facts),
        _busy(facts),
        *(f"objective: {each['note']}" for each in facts["objectives"]),
        _own_augment(facts),
        _losses(facts),
    )
    notes += (*_held_out(facts), *_left_out(facts), facts["luck"], facts["leak"])
    return Table(caption, columns(*heads, texts=heads[:1]), rows, tuple(filter(None, notes)))


def _trainings(facts: dict[str, Any]) -> str:
    """How many teachers and trainings, and how long they take."""
    if facts["finished"] >= facts["trials"]:
        if not facts["trainings"]:
            return "nothing is left to train: every trial has finished"
        again = f"{facts['trainings']} trainings of students with fresh seeds (replicate) are left"
        return f"every trial has finished; {again}, {duration(3600 * facts['hours'])} one after another on this machine"
    about = "" if facts["exact"] else "about "
    teachers = f"{about}{facts['teachers']} distinct teachers, {facts['teachers_in_bank']} of them in the bank"
    hours = duration(3600 * facts["hours"])
    return f"{teachers}; {about}{facts['trainings']} trainings, {hours} one after another on this machine"


def _with_workers(facts: dict[str, Any]) -> str:
    """How long it takes with a worker for each processor."""
    count = facts["processors"]
    if count < 2 or facts["trainings"] < 2:
        return ""
    hours = duration(3600 * facts["hours_with_workers"])
    return f"with --workers {count}, one for each processor: about {hours} at best (one training may keep all busy)"


def _busy(facts: dict[str, Any]) -> str:
    """That other programs slowed down what was timed."""
    if facts["load"] <= facts["processors"] or not facts["trainings"]:
        return ""
    processors = "1 processor" if facts["processors"] == 1 else f"{facts['processors']} processors"
    return f"this machine is busy (load {facts['load']:.1f} on {processors}): on an idle one it takes less time"


def _own_augment(facts: dict[str, Any]) -> str:
    """How students are augmented themselves: what hides the effect of their teachers' augmentation."""
    augments = facts["student_augments"]
    said = f"students are trained with augment {' or '.join(augments)} themselves"
    if augments and "none" not in augments:
        return f"{said}, which can hide what their teachers' augment gives them (student.augment: none shows it)"
    return said


def _losses(facts: dict[str, Any]) -> str:
    """By which losses students learn, and what that costs besides their trainings."""
    if not facts["losses"]:
        return ""
    said = f"students learn by loss {' or '.join(facts['losses'])}"
    if facts["needs_embeddings"]:
        return f"{said}; embeddings of each teacher are computed once, in a pass over the training clips"
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
