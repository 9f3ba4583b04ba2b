"""Sections about the search: the front of accuracy and MACs, what mattered, what was tried."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.metrics import VALIDATION
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.pareto import accuracy_against_macs, front_metric
from asc_experiments.report.charts import search as draw
from asc_experiments.report.charts.base import rows_height
from asc_experiments.report.data.study_runs import StudyRuns, number_of, objective_name
from asc_experiments.report.render.blocks import Block, Chart, Section
from asc_experiments.report.render.table import Cell, Table, columns, number, percent, text
from asc_experiments.report.words import counted, listed, ordinal
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.records import ERROR
from asc_experiments.tracking.trials import IMPORTANCES, OBJECTIVE_VALUE, SAMPLER, searched_of

_MOST_AXES = 14
_FEWEST_FOR_LINES, _FEWEST_FOR_SHARES = 5, 20


def front_section(studies: Sequence[StudyRuns]) -> Section:
    """Which students no other beats in accuracy and MACs."""
    several = len(studies) > 1
    name, title = ("together-front" if several else "front"), "Accuracy against MACs"
    students = accuracy_against_macs(studies)
    if len({student.macs for student in students}) < 2:
        only = f"All students cost {students[0].macs / 1e6:.1f} million MACs" if students else "No student was measured"
        more = "A study that searches the student's size (student: base_channels) shows what MACs buy."
        return Section(name, title, (f"{only}. {more}",))
    metric = front_metric(studies)
    best = [student for student in students if student.is_on_front]
    said = f"By {metric}, on the front, which no student beats in both, are {len(best)} of {len(students)}: "
    said += listed([f"{100 * s.accuracy:.1f} % at {s.macs / 1e6:.1f} MMACs" for s in best])
    said += ". Neighbours on it may be equal: no noise is reckoned with here."
    title_ = "Students of all studies" if several else "Students"
    chart = Chart(title_, draw.front(students, several, metric), said, height=400)
    is_elsewhere = metric.startswith(f"{VALIDATION}/")
    heads = [*(("study",) if several else ()), "student", "taught by", "MMACs", metric]
    heads += ["test fold"] if is_elsewhere else []
    rows = [
        (
            *((text(s.study),) if several else ()),
            text(f"trial {s.trial}"),
            text(s.taught_by),
            number(s.macs / 1e6, ".1f"),
            percent(s.accuracy),
            *((percent(s.test),) if is_elsewhere else ()),
        )
        for s in best
    ]
    texts = ("study", "student", "taught by")
    units = {metric: "%", "test fold": "%"}
    table = Table("On the front", columns(*heads, texts=texts, units=units), tuple(rows))
    return Section(name, title, (chart, table))


def search_section(findings: Findings) -> Section:
    """What the search found important, how it went, and the parameters of every trial."""
    blocks = [*_importances(findings), *_history(findings), *_lines(findings), _trials(findings)]
    return Section("search", "What was tried", tuple(block for block in blocks if block != ""))


def _importances(findings: Findings) -> list[Block]:
    found, said = findings.importances, importances_in_words(findings)
    if found is None or not found.agree:
        return [said]
    shown = {name: share for name, share in list(found.shares.items())[:_MOST_AXES] if share > 0}
    left_out = len(found.shares) - len(shown)
    said += f" {counted(left_out, 'parameter')} with the least are not drawn." if left_out else ""
    beside = {name: found.ped_anova[name] for name in shown}
    return [Chart("Importance of parameters", draw.importances(shown, beside), said, rows_height(len(shown)))]


def importances_in_words(findings: Findings) -> str:
    """Which parameter matters most, where two methods agree; else that neither is to be believed, and why."""
    found = findings.importances
    if found is None:
        if findings.runs.tags.get(IMPORTANCES):
            return (
                "Which parameters matter is not shown: what was logged is by PED-ANOVA alone, of parameters too that "
                "only some trials have. Launch the study again: that compares it with fANOVA."
            )
        return (
            "Which parameters matter is not shown: importances take ten finished trials with different objectives, "
            "and at least one parameter that differs and that all of them have."
        )
    over = counted(found.trials, "finished trial")
    fanova, ped_anova = found.first
    by_fanova, by_ped = f"{100 * found.fanova[fanova]:.0f} %", f"{100 * found.ped_anova[ped_anova]:.0f} %"
    if found.agree:
        said = f"By fANOVA over {over}, {fanova} explains the most of the objective's variance, {by_fanova}; by "
        said += f"PED-ANOVA it also tells the best trials most from the others, {by_ped}. Shares add up to 100 % even "
        said += "where nothing matters."
        said += " From so few trials they are a hint at most." if found.trials < _FEWEST_FOR_SHARES else ""
    else:
        said = f"Which parameters matter is not said: over {over}, fANOVA gives {fanova} the largest share, "
        said += f"{by_fanova}, and PED-ANOVA {ped_anova}, {by_ped}; they agree on {100 * found.overlap:.0f} % of the "
        said += "shares. One of them is misled."
    if found.left_out:
        names = [f"{name} ({trials})" for name, trials in found.left_out.items()]
        said += f" Not compared, because only some of these trials have them: {listed(names)}."
    return said


def _history(findings: Findings) -> list[Block]:
    runs = findings.runs
    if len(runs.trials) + len(runs.pruned) < 2:
        return ["The course of the search is not shown: it takes two trials."]
    name = objective_name(runs.objective, runs.split)
    finished = [(number_of(trial), trial.metrics[OBJECTIVE_VALUE]) for trial in runs.finished]
    stood = [(number_of(t), value) for t in runs.pruned if (value := _last_value(runs, t, name)) is not None]
    best = max(finished, key=lambda each: runs.sign * each[1])
    place = [number for number, _ in finished].index(best[0]) + 1
    told = (
        f"The best by {name} is trial {best[0]}, the {ordinal(place)} of {counted(len(finished), 'finished trial')}; "
    )
    told += f"{counted(len(runs.pruned), 'trial was', 'trials were')} pruned and {len(runs.failed)} failed."
    sign = None if runs.tags.get(SAMPLER) == "grid" else runs.sign
    return [Chart("Objective of every trial", draw.history(finished, stood, name, sign), told, height=360)]


def _last_value(runs: StudyRuns, trial: RunRecord, name: str) -> float | None:
    """What a pruned trial's student had reached when it was stopped."""
    values = [run.metrics[name] for run in runs.children.get(trial.run_id, ()) if name in run.metrics]
    return values[-1] if values else None


def _lines(findings: Findings) -> list[Block]:
    """Parallel coordinates of the parameters that vary."""
    runs = findings.runs
    params = {name: values for name, values in findings.searched.items() if len(set(map(repr, values))) > 1}
    if len(runs.trials) < _FEWEST_FOR_LINES or len(params) < 2:
        return [
            "Parallel coordinates are not drawn: they take five trials and two parameters that vary. All values are "
            "in the table."
        ]
    shares = findings.importances.shares if findings.importances else {}
    order = sorted(params, key=lambda name: (-shares.get(name, -1.0), params[name].count(None)))
    left_out = f"; {len(order) - _MOST_AXES} that fewer trials have are left out" if len(order) > _MOST_AXES else ""
    chosen = {name: params[name] for name in order[:_MOST_AXES]}
    objectives = [trial.metrics[OBJECTIVE_VALUE] for trial in runs.trials]
    figure = draw.parallel(chosen, objectives, [f"trial {number_of(trial)}" for trial in runs.trials], runs.sign)
    said = "Every finished trial is a line through its parameters, from the lowest value below to the highest above"
    said += f"{left_out}. The best fifth is drawn thick; a name in the legend hides or shows its lines."
    return [Chart("Parameters of every trial", figure, said, height=460, is_wide=True)]


def _trials(findings: Findings) -> Table:
    """Every trial with its parameters, those that came to no conclusion too."""
    runs = findings.runs
    ended = [("finished", runs.finished), ("pruned", runs.pruned), ("failed", runs.failed)]
    trials = sorted(((number_of(t), state, t) for state, group in ended for t in group), key=lambda each: each[0])
    params = {trial.run_id: searched_of(trial) for _, _, trial in trials}
    names = list(dict.fromkeys(name for each in params.values() for name in each))
    rows = []
    for place, state, trial in trials:
        about = state if state == "finished" else trial.tags.get(ERROR, state)
        values = [_value(params[trial.run_id].get(name)) for name in names]
        objective = number(trial.metrics.get(OBJECTIVE_VALUE), ".4f")
        rows.append((Cell(f"trial {place}", value=float(place)), text(about), objective, *values))
    heads = columns("trial", "ended", "objective", *names, texts=("trial", "ended"))
    return Table("Parameters of every trial", heads, tuple(rows), folded=True)


def _value(value: object) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(float(value), ".4g")
    return text("" if value is None else value)
