"""Whether a challenger is better than the champion by more than noise.

Both trials' students are compared in the studies' objective, on the test fold, with the error that places and students
give the difference (:mod:`asc_experiments.statistics`, :mod:`asc_experiments.tracking.decision`): those with fresh
seeds where a trial was tried again, and with an interval that allows for the challenger having been picked among the
trials of its study. With one student on a side nothing is known of other seeds, and the champion stays. What is
counted, such as MACs, has no noise.
"""

from __future__ import annotations

from dataclasses import dataclass

from asc_experiments.metrics import value_in_words
from asc_experiments.statistics import Evidence, Margin, margin
from asc_experiments.statistics.wording import clips_in_words, counted, margin_in_words
from asc_experiments.tracking.decision import Standing, standing
from asc_experiments.tracking.judgement.winner import is_counted_exactly
from asc_experiments.tracking.registry.candidate import Candidate
from asc_experiments.tracking.study_identity import identity_of
from asc_experiments.tracking.trials import CELL, DIRECTION, OBJECTIVE, OBJECTIVE_VALUE, SPLIT, STUDY

NO_ANSWERS = "keeps no answers by place (an older run); run its study again under another name, or use --replace"


@dataclass(frozen=True)
class Verdict:
    """The comparison of a challenger with a champion.

    Attributes:
        is_better: by more than noise.
        why: in words, one line.
        margin: of the challenger's objective over the champion's; None where they do not compare, or it is counted.
        picked_from: how many trials the challenger may have been picked from by these very answers.
    """

    is_better: bool
    why: str
    margin: Margin | None = None
    picked_from: int = 1


def compare(challenger: Candidate, champion: Candidate) -> Verdict:
    """Compare a challenger with a champion by the objective of their studies."""
    apart = _apart(challenger, champion)
    if apart:
        return Verdict(False, f"the two do not compare: {apart}")
    if is_counted_exactly(challenger.trial):
        return _counted(challenger, champion)
    return judge(_standing(challenger), _standing(champion))


def judge(ours: Standing, theirs: Standing) -> Verdict:
    """The verdict on two trials of the same objective and corpus."""
    cells = {each.trial.tags.get(CELL, each.trial.run_id) for each in (ours, theirs)}
    if len(cells) == 1:
        return Verdict(False, "it is a student of the champion's own recipe, which is not better than itself")
    for each in (ours, theirs):
        if each.evidence is None:
            study, name = each.trial.tags.get(STUDY, "?"), each.trial.name
            return Verdict(False, f"the two do not compare: {name} of study '{study}' {NO_ANSWERS}")
    return _judged(ours, ours.evidence, theirs, theirs.evidence)  # type: ignore[arg-type]  # neither is None


def _judged(ours: Standing, our_table: Evidence, theirs: Standing, their_table: Evidence) -> Verdict:
    """The verdict on two trials that keep their students' answers."""
    experiments = ours.trial.experiment_id, theirs.trial.experiment_id
    is_of_one_study = experiments[0] == experiments[1] and identity_of(ours.trial) == identity_of(theirs.trial)
    among = max(1, ours.picked_from - is_of_one_study)
    found = margin(our_table, their_table, ours.metric, among)
    values = [_reached(each, table, found.metric) for each, table in ((ours, our_table), (theirs, their_table))]
    than = "is better by more than noise" if found.is_better else "is not better by more than noise"
    than = than if found.is_known else "is not known to be better"
    what = f"it {than} in {found.metric} on {clips_in_words(our_table, found.metric)}"
    picked = f"; it was picked from {ours.picked_from:,} trials" if among > 1 else ""
    why = f"{what}: {values[0]} against {values[1]}, {margin_in_words(found)}{picked}"
    return Verdict(found.is_better, why, found, ours.picked_from)


def _counted(challenger: Candidate, champion: Candidate) -> Verdict:
    """The verdict on an objective that has no noise."""
    ours, theirs = (each.trial.metrics[OBJECTIVE_VALUE] for each in (challenger, champion))
    is_better = ours > theirs if challenger.trial.tags[DIRECTION] == "maximize" else ours < theirs
    than = "is better" if is_better else "is not better"
    what = f"{challenger.trial.tags[OBJECTIVE]}, which is counted"
    return Verdict(is_better, f"it {than} in {what}: {ours:,.0f} against {theirs:,.0f}")


def _standing(candidate: Candidate) -> Standing:
    return standing(candidate.tracking, candidate.trial, candidate.trials)


def _reached(each: Standing, table: Evidence, metric: str) -> str:
    """What a trial's students reached: ``71.2 % (mean of 3 students with fresh seeds)``."""
    of = f"mean of {counted(table.students, 'student')}" if table.students > 1 else "1 student"
    fresh = " with fresh seeds" if each.is_fresh else ""
    return f"{value_in_words(metric, float(table.measure(metric).mean()))} ({of}{fresh})"


def _apart(one: Candidate, other: Candidate) -> str:
    """Why two trials do not compare; empty where they do."""
    for tag, what in ((OBJECTIVE, "objectives"), (SPLIT, "splits"), (DIRECTION, "directions")):
        ours, theirs = (each.trial.tags.get(tag, "none") for each in (one, other))
        if ours != theirs:
            return f"their {what} are {ours} and {theirs}"
    ours, theirs = (each.data.digest or "not known" for each in (one, other))
    if ours != theirs or one.data.digest is None:
        return f"their corpora are {ours} and {theirs}"
    if one.trial.tags[SPLIT] == "validation":
        for mine, its in ((one.held_out, other.held_out), (one.data.validation_clips, other.data.validation_clips)):
            if mine is not None and its is not None and mine != its:
                return "other clips were held out"
    return ""
