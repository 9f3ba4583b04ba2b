"""What a report of several studies opens with: their answers, students and costs side by side."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.metrics import DG, OVERALL_ACCURACY, UNSEEN_ACCURACY, value_in_words
from asc_experiments.report.analysis.compute_cost import costs_of
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.charts import search as draw
from asc_experiments.report.data.study_runs import objective_name
from asc_experiments.report.render.blocks import Block, Chart, Section
from asc_experiments.report.render.table import Cell, Table, columns, number, percent, text
from asc_experiments.report.sections.front import shipping
from asc_experiments.report.sections.search import front_section
from asc_experiments.report.words import counted, duration, listed
from asc_experiments.statistics import margin
from asc_experiments.tracking.decision import Standing


def together(findings: Sequence[Findings]) -> tuple[Section, ...]:
    """What several studies have together: their answers, their students, their cost."""
    runs = [each.runs for each in findings]
    found = [each for each in findings if each.answer is not None]
    title = f"{counted(len(findings), 'study', 'studies')} at a glance"
    head = Section("together", title, (*_best_of_all(found), _overview(findings)), tuple(_cautions(found)))
    costs = costs_of(runs)
    chart = draw.cost_bars([each.study for each in findings], [each.costs.parts for each in findings])
    said = f"All together: {duration(costs.seconds)} of training; a teacher that several studies use counts once."
    alternative = "; ".join(f"{each.study}: {duration(each.costs.seconds)}" for each in findings)
    bars = Chart("Hours of training", chart, alternative, height=140 + 60 * len(findings))
    return head, front_section(runs), Section("together-costs", "What they cost together", (said, bars), folded=True)


def _best_of_all(found: Sequence[Findings]) -> list[Block]:
    """The best of all studies and how to load it, where they were chosen by the same thing on the same clips."""
    if not found:
        return ["No trial has finished in any of them."]
    kinds = {(e.runs.objective, e.runs.split, e.runs.sign, repr(e.runs.held_out), e.runs.corpus) for e in found}
    if len(kinds) > 1:
        return ["They do not share objective, clips and corpus, so no best of all is named; each has its own below."]
    runs = found[0].runs

    def reached(each: Findings) -> float:
        assert each.answer is not None
        return runs.sign * each.answer.objective.value

    best = max(found, key=reached)
    assert best.answer is not None
    value = value_in_words(runs.objective, best.answer.objective.value, best.answer.objective.std)
    said = (
        f"By {objective_name(runs.objective, runs.split)} the highest of all is trial {best.answer.number} of "
        f"{best.study}, {value}, taught by {best.answer.taught_by}."
    )
    if not best.answer.has_learned:
        return [f"{said} It cannot be told from guessing."]
    return [f"{said} {_beside(best, [each for each in found if each is not best])}".strip(), shipping(best.study)]


def _beside(best: Findings, others: Sequence[Findings]) -> str:
    """Whether the best of all is better than the best of every other study by more than noise."""
    ours = _standing(best)
    near = []
    for each in others:
        theirs = _standing(each)
        if ours.evidence is None or theirs.evidence is None:
            return "Whether it is better by more than noise is not known: not every run keeps its answers by place."
        picked = len(others) * max(1, ours.picked_from - 1)
        if not margin(ours.evidence, theirs.evidence, ours.metric, picked).is_better:
            near.append(each.study)
    if near:
        return f"It cannot be told apart from the best of {listed(near)}."
    return "It is better than the best of every other study by more than noise." if others else ""


def _standing(findings: Findings) -> Standing:
    assert findings.answer is not None
    return findings.runs.standing(findings.answer.trial)


def _cautions(found: Sequence[Findings]) -> list[str]:
    said = []
    if len(_corpora(found)) > 1:
        said.append("They are on different corpora: accuracies of different studies do not compare.")
    on_test = [each.study for each in found if each.runs.split == "test"]
    if on_test:
        said.append(f"Chosen on the test fold, so flattered there: {listed(on_test)}.")
    nothing = [each.study for each in found if each.answer and not each.answer.has_learned]
    if nothing:
        said.append(f"Nothing was learned, at least not by the best student: {listed(nothing)}.")
    close = [each.study for each in found if each.answer and each.answer.has_learned and each.answer.lead.rivals]
    if close:
        said.append(f"The best cannot be told apart from others of its own study: {listed(close)}.")
    alone = [each.study for each in found if each.answer and not each.answer.fresh and len(each.runs.trials) > 1]
    if alone:
        said.append(f"Best of many, not tried again with fresh seeds, so partly luck: {listed(alone)}.")
    return said


def _corpora(found: Sequence[Findings]) -> set[str]:
    """The digests of the corpora that the studies' networks were trained on."""
    return {each.runs.corpus for each in found if each.runs.corpus is not None}


def _overview(findings: Sequence[Findings]) -> Table:
    heads = ("study", "best trial", "taught by", "overall", "unseen", "DG", "parameters", "MMACs", "trials", "hours")
    units = {"overall": "%", "unseen": "%", "DG": "points"}
    rows = [_overview_row(each) for each in findings]
    return Table("The best trial of each study", columns(*heads, texts=heads[:3], units=units), tuple(rows))


def _overview_row(each: Findings) -> tuple[Cell, ...]:
    answer = each.answer
    if answer is None:
        return (text(each.study), text("none has finished"), *(text("") for _ in range(8)))
    shown = answer.fresh or answer.scores
    scores = [shown.get(name) for name in (OVERALL_ACCURACY, UNSEEN_ACCURACY, DG)]
    return (
        text(each.study),
        text(f"trial {answer.number}"),
        text(answer.taught_by),
        *(Cell("") if score is None else percent(score.value, score.std) for score in scores),
        number(answer.parameters),
        number(None if answer.macs is None else answer.macs / 1e6, ".1f"),
        number(len(each.runs.trials)),
        number(each.costs.seconds / 3600, ".2f"),
    )
