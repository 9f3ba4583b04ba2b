"""What a report opens with: the answer of a study."""

from __future__ import annotations

import json
import math

from asc_experiments.augment import AUGMENTATIONS
from asc_experiments.metrics import DEVICE, DG, ENSEMBLE, OVERALL_ACCURACY, UNSEEN_ACCURACY, accuracy_of, value_in_words
from asc_experiments.report.analysis.best_trial import Answer, Interval, ship_commands
from asc_experiments.report.analysis.compute_cost import seconds_of
from asc_experiments.report.analysis.distillation_gain import Gain, gain_in_words, probabilities_in_words
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.charts.base import hundred
from asc_experiments.report.charts.scores import grouped_bars
from asc_experiments.report.data.study_runs import GROUPS, StudyRuns, group_word, kind_of, number_of
from asc_experiments.report.render.blocks import Block, Chart, Commands, Section, Tile, Tiles
from asc_experiments.report.render.table import Table, code, columns, number, percent, text
from asc_experiments.report.sections.devices import without_common_place
from asc_experiments.report.sections.files import export_blocks
from asc_experiments.report.words import clip_in_words, counted, difference_of, duration, interval_of, listed
from asc_experiments.statistics import Evidence, margin, pooled
from asc_experiments.statistics.devices import extremes
from asc_experiments.statistics.margin import ONE_SEED
from asc_experiments.statistics.wording import margin_in_words, unseen_in_words
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.evidence import STUDENTS
from asc_experiments.tracking.trials import RECIPE, clip_seconds

_PARAMETERS, _MACS, _MACS_BY_DCASE = "complexity/parameters", "complexity/macs", "complexity/macs_torchinfo"
_DCASE_BYTES, _DCASE_MACS = 128_000, 30_000_000
_NOT_TO_SHIP = (
    "There is nothing to ship. More epochs, more training clips or a higher learning rate come first; the tables below "
    "say what was tried."
)
_SHOWN = (
    (OVERALL_ACCURACY, "test fold, all devices", "%", ""),
    (UNSEEN_ACCURACY, "unseen devices", "%", ""),
    (DG, "DG (lower is better)", "", "standard deviation over devices, in points; "),
)
"""Scores in the tiles: the metric, its label, its unit, what to know of it."""
_WITHOUT_TEACHERS = "How it was chosen, and how to use its student"
_TOLD_APART_BY = "the 95 % interval of the difference in the test fold, over places and students, leaves out 0"


def answer_section(findings: Findings) -> Section:
    """The answer in words and numbers, with its figure, and how far to trust it."""
    answer = findings.answer
    if answer is None:
        return Section("answer", findings.heading, (nothing_yet(findings),), doubts(findings))
    blocks: list[Block] = [*_verdict(findings, answer)]
    if answer.has_learned:
        blocks += [_tiles(findings.runs, answer), _where(findings.runs, answer)]
        if answer.difference is not None:
            blocks.append(_difference(findings.runs, answer))
        blocks += answer_figure(findings, answer)
    else:
        blocks.append(_NOT_TO_SHIP)
    return Section("answer", findings.heading, tuple(blocks), doubts(findings))


def choice_section(findings: Findings) -> Section:
    """How the best trial was chosen, who its teachers are, and the commands that ship its student."""
    answer = findings.answer
    assert answer is not None
    blocks: list[Block] = [_how_found(findings.runs, answer)]
    gain = _gain_of(findings, answer) if answer.has_learned else None
    blocks += [] if gain is None else filter(None, [probabilities_in_words(gain)])
    if (teachers := _teachers(findings.runs, answer)) is not None:
        blocks.append(teachers)
    if not answer.has_learned:
        return Section("choice", "How it was chosen", tuple(blocks))
    title = "How it was chosen, its teachers, and how to use its student"
    return Section("choice", title if answer.keys else _WITHOUT_TEACHERS, (*blocks, *_to_ship(findings, answer)))


def doubts(findings: Findings, values: str = "in tables below those of students and teachers") -> tuple[str, ...]:
    """What is to be borne in mind before the answer is believed; nothing where there is none.

    Args:
        findings: of the study.
        values: where a reader finds the settings that differ.
    """
    answer, left_out = findings.answer, _left_out(findings.runs)
    if answer is None:
        return left_out
    unfinished = filter(None, [findings.runs.progress.sentence(findings.study)])
    return (
        *unfinished,
        *answer.caveats,
        *_better_teacher(findings.runs, answer),
        *_other_settings(findings, values),
        *left_out,
    )


def nothing_yet(findings: Findings) -> str:
    """What there is where no trial has finished, and what to do where some had."""
    progress = findings.runs.progress
    if progress.running:
        return f"There is nothing to report yet. {progress.sentence(findings.study)}"
    ended = counted(len(findings.runs.pruned), "pruned", "pruned") + f", {len(findings.runs.failed)} failed"
    rest = "Where trials had finished, `asc study run` says what became of them."
    return f"There is nothing to report yet ({ended}). {rest}"


def _left_out(runs: StudyRuns) -> tuple[str, ...]:
    """That the experiment has finished trials of other studies of that name; nothing where it has none."""
    if not runs.left_out:
        return ()
    what = "of another study of this name (deleted in Optuna, or in another storage), or not known to Optuna"
    return (f"Left out: {counted(runs.left_out, 'finished trial')} {what}.",)


def _to_ship(findings: Findings, answer: Answer) -> list[Block]:
    """What the best trial's student is as a file, and the commands that register it and have it listen."""
    blocks: list[Block] = [*_shipped(findings.runs, answer), *export_blocks(findings.runs, answer)]
    blocks.append(
        "To register the student of the best trial, load it in Python, and have it listen to recordings "
        "(MLFLOW_TRACKING_URI tells Python where the registry is: sqlite:///mlruns/mlflow.db in the workspace's "
        "folder, unless a server keeps it):"
    )
    blocks.append(shipping(findings.study))
    if answer.model:
        blocks.append(f"Unregistered, the same network is models:/{answer.model}.")
    return blocks


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
        scores = [percent(run.metrics.get(name)) for name in (OVERALL_ACCURACY, UNSEEN_ACCURACY, DG)]
        took = seconds_of(run)
        method = _method(run.params.get("augment", ""))
        size = number(run.metrics.get("complexity/parameters"))
        time = text("imported" if took is None else duration(took))
        rows.append((text(run.name), code(key), text(method), size, *scores, time))
    heads = ("teacher", "key", "device generalisation", "parameters", "overall", "unseen", "DG", "training")
    units = {"overall": "%", "unseen": "%", "DG": "points"}
    caption = "Its teachers: architecture, size, method, seed"
    return Table(caption, columns(*heads, texts=(*heads[:3], "training"), units=units), tuple(rows)) if rows else None


def _method(augment: str) -> str:
    """Device generalisation in words, as ``dirfms+hum`` names it."""
    words = {"none": "none", "dirfms": "DIR and FMS", "": "not known"}
    words |= {kind.label: kind.in_words or kind.label for kind in AUGMENTATIONS.values() if kind.label}
    return ", ".join(words.get(label, label) for label in augment.split("+"))


def _verdict(findings: Findings, answer: Answer) -> list[str]:
    """What the winner does, what its teachers gave it, and whether it is better than the others."""
    shown = answer.fresh or answer.scores
    if not answer.has_learned:
        return []
    said = "Its student names the right scene"
    if OVERALL_ACCURACY in shown:
        said += f" for {100 * shown[OVERALL_ACCURACY].value:.1f} % of the test clips"
    if UNSEEN_ACCURACY in shown:
        unseen = f"{100 * shown[UNSEEN_ACCURACY].value:.1f} %"
        said += f", and for {unseen} of those from devices that were never heard in training"
    told = [f"{said}.", *_gain(findings, answer)]
    if answer.lead.is_measured and answer.lead.others and not answer.lead.rivals:
        rest = "the other one" if answer.lead.others == 1 else f"each of the {answer.lead.others} others"
        which = f"Trial {answer.number}, of {counted(len(findings.runs.trials), 'finished trial')},"
        told.append(f"{which} is better than {rest} by more than noise: {_TOLD_APART_BY}.")
    return told


def _gain_of(findings: Findings, answer: Answer) -> Gain | None:
    """What its teachers gave the best trial's student over labels alone, where that is known."""
    gain = next((gain for gain in findings.gains if gain.trial == answer.number), None)
    return gain if gain is not None and OVERALL_ACCURACY in gain.gains else None


def _gain(findings: Findings, answer: Answer) -> list[str]:
    """The same in a sentence, and how sure that is."""
    gain = _gain_of(findings, answer)
    if gain is None:
        return []
    overall = gain_in_words(gain, OVERALL_ACCURACY)
    said = f"The same student on labels alone ({gain.against}): {overall} for the taught one"
    if UNSEEN_ACCURACY in gain.gains:
        said += f"; on unseen devices {gain_in_words(gain, UNSEEN_ACCURACY)}"
    return [f"{said}."]


def answer_figure(findings: Findings, answer: Answer) -> list[Block]:
    """The best student on all devices and on each group, beside the same on labels alone and its teachers together."""
    trial, gain = answer.trial, _gain_of(findings, answer)
    groups = [(group_word(group), accuracy_of("group", group)) for group in GROUPS]
    shown = [("overall", OVERALL_ACCURACY), *groups]
    scores = answer.fresh or answer.scores  # gains are of the same students
    shown = [(heading, name) for heading, name in shown if name in scores]
    if not shown:
        return []
    own = [scores[name].value for _, name in shown]
    series: dict[str, list[float | None]] = {f"trial {answer.number}": [*own]}
    spreads = {f"trial {answer.number}": [scores[name].std for _, name in shown]}
    if gain is not None:
        alone = [None if name not in gain.gains else scores[name].value - gain.gains[name] for _, name in shown]
        series[f"labels alone ({gain.against})"] = alone
    together = [trial.metrics.get(f"{ENSEMBLE}/{name}") for _, name in shown]
    if any(value is not None for value in together):
        series["its teachers together" if len(answer.keys) > 1 else "its teacher"] = together
    names = [heading for heading, _ in shown]
    in_percent = {label: hundred(values) for label, values in series.items()}
    errors = {label: hundred(values) for label, values in spreads.items()}
    figure = grouped_bars(names, in_percent, "accuracy in %", " %", "devices of the test fold", errors)
    told = (
        f"{label}: " + ", ".join(f"{name} {value:.1f}" for name, value in zip(names, values, strict=True) if value)
        for label, values in in_percent.items()
    )
    said = f"Accuracy in % in the test fold. {'; '.join(told)}."
    if any(value is not None for value in errors[f"trial {answer.number}"]):
        said += " Error bars: standard deviation over seeds."
    title = "Accuracy of the student beside labels alone and its teachers" if len(series) > 1 else "Its accuracy"
    return [Chart(title, figure, said, height=380)]


def _how_found(runs: StudyRuns, answer: Answer) -> str:
    """Among how many trials the best was chosen, and by what."""
    others = [f"{len(t)} {word}" for t, word in ((runs.pruned, "pruned"), (runs.failed, "failed")) if t]
    if runs.pooled:
        others.append(f"{runs.pooled} more with the settings of another, pooled with it")
    place = "the best of" if answer.has_learned else "which stands first among"
    found = f"It is trial {answer.number}, {place} {counted(len(runs.trials), 'finished trial')}"
    found += f" ({', '.join(others)})" if others else ""
    goal = "highest" if runs.sign > 0 else "lowest"
    where = "fresh seeds" if answer.fresh else "its own seeds"
    value = value_in_words(runs.objective, answer.objective.value, answer.objective.std)
    found += f", chosen by the {goal} {runs.objective} on the {runs.split} split: {value} with {where}"
    found += f" ({counted(answer.objective.n, 'student')})."
    return found if answer.clips is None else f"{found} The objective: {answer.clips.line}."


def _tiles(runs: StudyRuns, answer: Answer) -> Tiles:
    shown = answer.fresh or answer.scores
    kind = "fresh seed" if answer.fresh else "seed"
    tiles = []
    for name, label, unit, what in _SHOWN:
        if name in shown:
            score = percent(shown[name].value, shown[name].std)
            note = f"{what}mean over {counted(shown[name].n, kind)}"
            if name == DG and answer.dg_floor is not None:
                note += f"; equal devices would show about {100 * answer.dg_floor:.1f} by the luck of the clips"
            tiles.append(Tile(label, f"{score.text} {unit}".strip(), score.note, note))
    if answer.parameters is not None:
        kilobytes = f"weights at int8: {answer.parameters / 1000:.0f} kB"
        fits = "within" if answer.parameters <= _DCASE_BYTES else "over"
        tiles.append(Tile("parameters", f"{answer.parameters:,.0f}", note=f"{kilobytes}, {fits} DCASE's 128 kB"))
    if answer.macs is not None:
        heard = f"MACs for {clip_in_words(answer.trial)}"
        tiles.append(Tile(heard, f"{answer.macs / 1e6:.1f} M", note=_by_dcase(answer)))
    alone = "" if answer.costs.winner is None else f"its own teachers and students: {duration(answer.costs.winner)}"
    tiles.append(Tile("training, whole study", duration(answer.costs.seconds), note=alone))
    return Tiles(tuple(tiles))


def _by_dcase(answer: Answer) -> str:
    """Whether the challenge's limit of MACs is kept to, and by which rule they were counted."""
    by_rule = answer.macs_torchinfo
    counted_by = "as ptflops counts" if by_rule is None else f"as ptflops counts; {by_rule / 1e6:.1f} M by torchinfo"
    if clip_seconds(answer.trial) != 1:
        return f"{counted_by}; DCASE's 30 M are for one second"
    fits = "within" if (answer.macs or 0 if by_rule is None else by_rule) <= _DCASE_MACS else "over"
    return f"{counted_by}, {fits} DCASE's 30 M"


def _where(runs: StudyRuns, answer: Answer) -> str:
    """On which devices the winner is good, and whether another trial is better on unseen ones."""
    if not answer.devices:
        return "It was not scored per device."
    table = runs.standing(answer.trial).evidence
    if table is None or (found := extremes(table)) is None:
        return "Whether any device stands out is not known: its run keeps no answers by place, or has one device."
    high, low, apart = found
    unseen = f"{unseen} " if (unseen := unseen_in_words(table)) else ""
    widest = f"{margin_in_words(apart)}, of these very students{without_common_place(table, high, low)}"
    if not apart.is_better:
        return f"{unseen}No device is shown to stand out: the widest apart are {high} and {low}, {widest}."
    ends = " and ".join(
        f"{word} on {device} ({_device_share(runs, table, device)})"
        for word, device in (("highest", high), ("lowest", low))
    )
    said = f"{unseen}By device its accuracy is {ends}; the two differ by {widest}."
    return said + _best_on_unseen(runs, answer)


def _best_on_unseen(runs: StudyRuns, answer: Answer) -> str:
    """Another trial that is better on unseen devices by more than noise, where there is one."""
    ours = runs.standing(answer.trial).evidence
    rivals = [trial for trial in runs.compared if UNSEEN_ACCURACY in trial.metrics and trial != answer.trial]
    top = max(rivals, key=lambda trial: trial.metrics[UNSEEN_ACCURACY], default=None)
    theirs = None if top is None else runs.standing(top).evidence
    if top is None or ours is None or theirs is None:
        return ""
    try:
        found = margin(theirs, ours, UNSEEN_ACCURACY, len(rivals))
    except ValueError:  # no unseen device in the test fold
        return ""
    if not found.is_better:
        return ""
    who = f"trial {number_of(top)} ({runs.taught_by(top)})"
    return f" If unseen devices alone count, {who} is better there: {margin_in_words(found)}."


def _device_share(runs: StudyRuns, table: Evidence, device: str) -> str:
    """A device's group, where it is known, and the accuracy on it."""
    group = runs.group_of.get(device)
    accuracy = float(table.measure(accuracy_of(DEVICE, device)).mean())
    return (f"{group_word(group)}, " if group else "") + f"{100 * accuracy:.1f} %"


def _better_teacher(runs: StudyRuns, answer: Answer) -> list[str]:
    """Teachers that keep to the same limits as the student and do better by more than noise: why distil then?"""
    student, found = runs.standing(answer.trial).evidence, []
    if student is None or not answer.has_learned:
        return []
    for kind in dict.fromkeys(kind_of(run) for run in runs.members(answer.trial)):
        same = [run for run in runs.teachers.values() if kind_of(run) == kind and _keeps_to_limits(run)]
        tables = [table for run in same if (table := runs.evidence(run.run_id, STUDENTS).get("test")) is not None]
        if not tables or not all(table.is_of_the_same_clips(student) for table in tables):
            continue
        apart = margin(pooled(tables), student, OVERALL_ACCURACY)
        if apart.is_better or (not apart.is_known and apart.value > 0):
            sure = " To ship the best network of this size, ship that teacher." if apart.is_better else ""
            costs = f"{same[0].metrics[_PARAMETERS]:,.0f} parameters, {same[0].metrics[_MACS] / 1e6:.1f} MMACs"
            found.append(
                f"Teachers of kind {kind} keep to the challenge's limits themselves ({costs}). {OVERALL_ACCURACY}, "
                f"{counted(len(tables), 'network')} less the student: {margin_in_words(apart)}.{sure}"
            )
    return found


def _keeps_to_limits(run: RunRecord) -> bool:
    parameters, macs = (run.metrics.get(name, math.inf) for name in (_PARAMETERS, _MACS))
    macs = run.metrics.get(_MACS_BY_DCASE, macs)
    return parameters <= _DCASE_BYTES and macs <= _DCASE_MACS and clip_seconds(run) == 1


def _shipped(runs: StudyRuns, answer: Answer) -> list[str]:
    """Which of several students is registered."""
    recipe = json.loads(answer.trial.tags.get(RECIPE, "{}"))
    count = runs.count(answer.trial)
    if count < 2 or "seed" not in recipe:
        return []
    which = f"One is registered: that of seed {recipe['seed']}, the best of them by the objective"
    return [f"The figures are means over {count} students. {which}; asc register and its card tell what it reaches."]


def _other_settings(findings: Findings, values: str) -> list[str]:
    """What compared teachers and students differ in besides what their names say."""
    names = (*findings.teacher_differences.settings, *findings.student_differences.settings)
    if not names:
        return []
    return [
        f"What is compared differs in more than its names say: {listed(list(dict.fromkeys(names)), 8)}. The values "
        f"are {values}."
    ]


def _difference(runs: StudyRuns, answer: Answer) -> str:
    found = answer.difference
    assert found is not None
    said = f"Against the baseline, trial {found.baseline}, both with fresh seeds"
    if found.on_test is None:
        return f"{said}: {_interval(runs, found.on_choosing)} on the {runs.split} split (over places and students)."
    return (
        f"{said}: {_interval(runs, found.on_test)} in the test fold, whose clips chose neither (over places and "
        f"students). On the {runs.split} split, whose clips chose it: {_interval(runs, found.on_choosing)}."
    )


def _interval(runs: StudyRuns, found: Interval) -> str:
    name, said = runs.objective, difference_of(runs.objective, found.value)
    if found.low is None or found.high is None:
        return f"{said}, {ONE_SEED} how sure that is"
    return f"{said}, 95 % interval {interval_of(name, found.low, found.high)}"
