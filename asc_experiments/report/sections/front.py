"""What a report opens with: the answer of a study."""

from __future__ import annotations

import json
import math

from asc_experiments.report.answer import Answer, ship_commands
from asc_experiments.report.costs import seconds_of
from asc_experiments.report.document import (
    Block,
    Commands,
    Section,
    Table,
    Tile,
    Tiles,
    code,
    columns,
    number,
    percent,
    text,
)
from asc_experiments.report.findings import Findings
from asc_experiments.report.runs import StudyRuns, number_of
from asc_experiments.report.sections.files import export_blocks
from asc_experiments.report.sections.headline import headline
from asc_experiments.report.text import duration
from asc_experiments.report.words import counted, difference_of, interval_of, listed, value_of
from asc_experiments.tracking.trials import RECIPE
from asc_experiments.training.scorecard import DG

OVERALL, UNSEEN = "accuracy/overall", "accuracy/group/unseen"
METHODS = {
    "none": "none",
    "dir": "DIR: impulse responses of other microphones",
    "fms": "FMS: Freq-MixStyle",
    "dirfms": "DIR and FMS",
}
"""Device generalisation in words."""
_DCASE_BYTES, _DCASE_MACS = 128_000, 30_000_000
_SHOWN = (
    (OVERALL, "test fold, all devices", "%", ""),
    (UNSEEN, "unseen devices", "%", ""),
    (DG, "DG (lower is better)", "", "standard deviation over devices, in points; "),
)
"""Scores in the tiles: the metric, its label, its unit, what to know of it."""
_TOLD_APART_BY = "Welch's t-test at 5 %, or the interval of the difference to the baseline where there is one"


def answer_section(findings: Findings) -> Section:
    """The answer in words and numbers, how far to trust it, and the commands that ship it."""
    answer, study = findings.answer, findings.study
    if answer is None:
        ended = counted(len(findings.runs.pruned), "pruned", "pruned") + f", {len(findings.runs.failed)} failed"
        return Section("answer", "No trial has finished", (f"There is nothing to report yet ({ended}).",))
    blocks: list[Block] = [
        *_verdict(findings, answer),
        _tiles(findings.runs, answer),
        _where(findings.runs, answer),
    ]
    if answer.difference is not None:
        blocks.append(_difference(findings.runs, answer))
    if (teachers := _teachers(findings.runs, answer)) is not None:
        blocks.append(teachers)
    blocks += _shipped(findings.runs, answer)
    blocks += export_blocks(findings.runs, answer)
    blocks.append(
        "To register the winner, load it in Python, and have it listen to recordings (MLFLOW_TRACKING_URI tells Python "
        "where the registry is: sqlite:///mlruns/mlflow.db in the workspace's folder, unless a server keeps it):"
    )
    blocks.append(shipping(study))
    if answer.model:
        blocks.append(f"Unregistered, the same network is models:/{answer.model}.")
    points = (*_better_teacher(findings.runs, answer), *answer.caveats, *_other_settings(findings))
    return Section("answer", headline(answer), tuple(blocks), points)


def shipping(study: str) -> Commands:
    """The commands that register a study's best student, load it, and have it listen."""
    register, load, predict = ship_commands(study)
    return Commands((("shell", register), ("python", load), ("shell", predict)))


def _teachers(runs: StudyRuns, answer: Answer) -> Table | None:
    """The winner's teachers, one by one."""
    rows = []
    for key in answer.keys:
        run = runs.bank.get(key)
        if run is None:
            rows.append((text("gone from the bank"), code(key), *(text("") for _ in range(6))))
            continue
        scores = [percent(run.metrics.get(name)) for name in (OVERALL, UNSEEN, DG)]
        took = seconds_of(run)
        method = METHODS.get(run.params.get("augment", ""), "not known")
        size = number(run.metrics.get("complexity/parameters"))
        time = text("imported" if took is None else duration(took))
        rows.append((text(run.name), code(key), text(method), size, *scores, time))
    heads = ("teacher", "key", "device generalisation", "parameters", "overall", "unseen", "DG", "training")
    units = {"overall": "%", "unseen": "%", "DG": "points"}
    caption = "Its teachers: architecture, size, method, seed"
    return Table(caption, columns(*heads, texts=(*heads[:3], "training"), units=units), tuple(rows)) if rows else None


def _verdict(findings: Findings, answer: Answer) -> list[str]:
    """What the winner does, and how it was found."""
    runs, shown = findings.runs, answer.fresh or answer.scores
    said = "Its student names the right scene"
    if OVERALL in shown:
        said += f" for {100 * shown[OVERALL].value:.1f} % of the test clips"
    if UNSEEN in shown:
        said += f", and for {100 * shown[UNSEEN].value:.1f} % of those from devices that were never heard in training"
    gain = next((gain for gain in findings.gains if gain.trial == answer.number), None)
    if gain is not None and OVERALL in gain.gains:
        said += f". The same student on labels alone ({gain.against}): {100 * gain.gains[OVERALL]:+.1f} points for the "
        said += "taught one" + (f", {100 * gain.gains[UNSEEN]:+.1f} on unseen devices" if UNSEEN in gain.gains else "")
    n = len(runs.trials)
    others = [f"{len(t)} {word}" for t, word in ((runs.pruned, "pruned"), (runs.failed, "failed")) if t]
    found = f"It is trial {answer.number}, the best of {counted(n, 'finished trial')}"
    found += f" ({', '.join(others)})" if others else ""
    goal = "highest" if runs.sign > 0 else "lowest"
    where = "fresh seeds" if answer.fresh else "its own seeds"
    value = value_of(runs.objective, answer.objective.value, answer.objective.std)
    found += f", chosen by the {goal} {runs.objective} on the {runs.split} split: {value} with {where}"
    told = [f"{said}.", f"{found} ({counted(answer.objective.n, 'student')})."]
    if answer.lead.is_measured and answer.lead.others and not answer.lead.rivals:
        rest = "the other one" if answer.lead.others == 1 else f"each of the {answer.lead.others} others"
        told.append(f"It is ahead of {rest} by more than seeds alone would change ({_TOLD_APART_BY}).")
    return told


def _tiles(runs: StudyRuns, answer: Answer) -> Tiles:
    shown = answer.fresh or answer.scores
    kind = "fresh seed" if answer.fresh else "seed"
    tiles = []
    for name, label, unit, what in _SHOWN:
        if name in shown:
            score = percent(shown[name].value, shown[name].std)
            note = f"{what}mean over {counted(shown[name].n, kind)}"
            tiles.append(Tile(label, f"{score.text} {unit}".strip(), score.note, note))
    if answer.parameters is not None:
        kilobytes = f"weights at int8: {answer.parameters / 1000:.0f} kB"
        fits = "within" if answer.parameters <= _DCASE_BYTES else "over"
        tiles.append(Tile("parameters", f"{answer.parameters:,.0f}", note=f"{kilobytes}, {fits} DCASE's 128 kB"))
    if answer.macs is not None:
        fits = "within" if answer.macs <= _DCASE_MACS else "over"
        tiles.append(Tile("MACs for one second", f"{answer.macs / 1e6:.1f} M", note=f"{fits} DCASE's 30 M"))
    alone = "" if answer.costs.winner is None else f"its own teachers and students: {duration(answer.costs.winner)}"
    tiles.append(Tile("training, whole study", duration(answer.costs.seconds), note=alone))
    return Tiles(tuple(tiles))


def _where(runs: StudyRuns, answer: Answer) -> str:
    """On which devices the winner is good, and whether another trial is better on unseen ones."""
    if not answer.devices:
        return "It was not scored per device."
    order = sorted(answer.devices, key=lambda device: -answer.devices[device])
    best, worst = order[0], order[-1]
    said = f"By device it is best on {best} ({_device_share(runs, answer, best)}) "
    said += f"and weakest on {worst} ({_device_share(runs, answer, worst)})."
    rivals = [trial for trial in runs.trials if UNSEEN in trial.metrics]
    top = max(rivals, key=lambda trial: trial.metrics[UNSEEN], default=None)
    if top is not None and top != answer.trial and UNSEEN in answer.scores:
        ahead = top.metrics[UNSEEN] - answer.scores[UNSEEN].value
        if ahead > 0:
            said += f" If unseen devices alone count, trial {number_of(top)} ({runs.taught_by(top)}) is "
            said += f"{100 * ahead:.1f} points higher there; the highest of {len(rivals)}, so part of that is luck."
    return said


def _device_share(runs: StudyRuns, answer: Answer, device: str) -> str:
    """A device's group, where it is known, and the winner's accuracy on it."""
    group = runs.group_of.get(device)
    return (f"{group}, " if group else "") + f"{100 * answer.devices[device]:.1f} %"


def _better_teacher(runs: StudyRuns, answer: Answer) -> list[str]:
    """The teacher that keeps to the same limits as the student and does better, where there is one: why distil then?"""
    student = answer.scores.get(OVERALL)
    small = [
        run
        for key in answer.keys
        if (run := runs.bank.get(key)) is not None
        and run.metrics.get("complexity/parameters", math.inf) <= _DCASE_BYTES
        and run.metrics.get("complexity/macs", math.inf) <= _DCASE_MACS
    ]
    best = max(small, key=lambda run: run.metrics.get(OVERALL, 0.0), default=None)
    if best is None or student is None or best.metrics.get(OVERALL, 0.0) <= student.value:
        return []
    costs = (
        f"{best.metrics['complexity/parameters']:,.0f} parameters, {best.metrics['complexity/macs'] / 1e6:.1f} MMACs"
    )
    reached = f"{100 * best.metrics[OVERALL]:.1f} % against {100 * student.value:.1f} %"
    return [
        f"Its teacher {best.name} keeps to the same limits ({costs}) and does better itself: {reached}. To ship the "
        "best network of this size, ship that teacher."
    ]


def _shipped(runs: StudyRuns, answer: Answer) -> list[str]:
    """Which of several students is registered."""
    recipe = json.loads(answer.trial.tags.get(RECIPE, "{}"))
    if runs.seeds < 2 or "seed" not in recipe:
        return []
    which = f"One is registered: that of seed {recipe['seed']}, the best of them by the objective"
    return [
        f"The figures are means over {runs.seeds} students. {which}; asc register and its card tell what it reaches."
    ]


def _other_settings(findings: Findings) -> list[str]:
    """What compared teachers and students differ in besides what their names say."""
    names = (*findings.teacher_differences.settings, *findings.student_differences.settings)
    if not names:
        return []
    return [
        f"What is compared differs in more than its names say: {listed(list(dict.fromkeys(names)), 8)}. The values "
        "are in tables below those of students and teachers."
    ]


def _difference(runs: StudyRuns, answer: Answer) -> str:
    found = answer.difference
    assert found is not None
    name = runs.objective
    said = f"Against the baseline, trial {found.baseline}, both with fresh seeds: {difference_of(name, found.value)}, "
    said += f"95 % interval {interval_of(name, found.low, found.high)} on the {runs.split} split"
    if found.on_test is not None:
        value, low, high = found.on_test
        said += f"; on the test fold {difference_of(name, value)}, {interval_of(name, low, high)}"
    return f"{said} (paired bootstrap over clips)."
