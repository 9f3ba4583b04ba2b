"""The heading of the answer: as sure as the study is, and no surer."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.report.analysis.best_trial import Answer
from asc_experiments.report.analysis.runner_up_margin import NO_EVIDENCE, Rival, Worth
from asc_experiments.report.words import counted

_NAMED = 2
"""Rivals that a heading names; more are counted."""


def headline(answer: Answer) -> str:
    """Which teachers to use, if the study can say so; else that there is no winner yet, and why.

    Whether anything was learned at all comes before everything else.
    """
    lead = answer.lead
    if not answer.has_learned:
        return _nothing(answer)
    if not answer.keys:
        return _without_teachers(answer)
    who = _called(answer.taught_by)
    if not lead.others:
        source = "; its students learned from labels" if answer.taught_nothing else ""
        if not answer.is_over:
            return _sentence(f"{who} is the first to finish, and there is nothing beside it yet{source}")
        return _sentence(f"{who} was tried, and nothing beside it{source}")
    if (why := _undecided(answer)) or lead.contenders:
        said = why or f"but {_named(lead.contenders, lead.others)} from it"
        return f"No winner yet: trial {answer.number} ({who}) is {answer.highest}, {said}"
    if answer.taught_nothing:
        said = "but its teachers say next to nothing and labels taught it"
        return f"No winner among teachers: trial {answer.number} ({who}) is {answer.highest}, {said}"
    if answer.only_teachers:
        others = "no other teachers were tried" if answer.is_over else "no other teachers have finished yet"
        return _sentence(f"{who} teaches better than labels alone do; {others}")
    return f"Use {who}"


def _nothing(answer: Answer) -> str:
    """That nothing was learned: by no student, or not by those of the best trial."""
    found, learning = answer.guessing, answer.judgement.learning
    if learning is not None and found.guessing < found.looked_at:
        reached = f"{100 * learning.accuracy:.1f} % of the scenes, and guessing gives {100 * learning.chance:.1f} %"
        return f"No winner: trial {answer.number} is {answer.highest}, but names {reached} in the test fold"
    if found.looked_at and found.one_answer == found.looked_at:
        return "Nothing was learned: every student answers one scene to everything"
    return "Nothing was learned that can be told from guessing" + (", by any student" if found.looked_at else "")


def _undecided(answer: Answer) -> str:
    """Why nothing can be told apart from the best, or labels alone cannot; empty where it can."""
    lead = answer.lead
    if lead.unknown == NO_EVIDENCE:
        return "but how far chance moves it is not known"
    if not lead.is_measured:
        return "by one student per trial: luck is not ruled out"
    if lead.worth is Worth.NOT_SHOWN:
        return "but the student on labels alone cannot be told apart from it: teachers are not shown to help"
    return f"in a tie with {counted(lead.ties, 'other trial')}" if lead.ties else ""


def _without_teachers(answer: Answer) -> str:
    """The heading where the best student had no teacher."""
    lead, trial = answer.lead, f"trial {answer.number}"
    if lead.worth is Worth.NO_TEACHER:
        if lead.others and lead.rivals:
            said = f"{_no_teacher(answer)}, and there is no winner yet: {trial} is {answer.highest}, "
            return said + (_undecided(answer) or f"but {_named(lead.rivals, lead.others)} from it")
        return f"{_no_teacher(answer)}; the best student on labels alone is that of {trial}"
    if lead.worth is Worth.REFUTED:
        return f"Teachers did not help here: the best student is {trial}, on labels alone"
    if not lead.is_measured:
        return f"No winner yet: labels alone are {answer.highest}, {_undecided(answer)}; teachers are not shown to help"
    taught = sum(rival.has_teachers for rival in lead.rivals)
    rest = f"{counted(taught, 'taught student')} cannot be told apart from it"
    return f"No winner yet: labels alone are {answer.highest}, and {rest}: teachers are not shown to help"


def _no_teacher(answer: Answer) -> str:
    return "No teacher was tried" if answer.is_over else "No taught trial has finished yet"


def _named(rivals: Sequence[Rival], others: int) -> str:
    """The rivals and that they cannot be told apart: by their teachers where they are few, else counted."""
    if len(rivals) == others and len(rivals) > _NAMED:
        return f"none of the {others} others can be told apart"
    if len(rivals) <= _NAMED:
        named = (f"trial {rival.number} ({_called(rival.taught_by)})" for rival in rivals)
        return f"{' and '.join(named)} cannot be told apart"
    return f"{len(rivals)} of the {others} others cannot be told apart"


def _called(teachers: str) -> str:
    """Teachers as part of a sentence: several kinds are one ensemble."""
    return f"the ensemble {teachers}" if " + " in teachers else teachers


def _sentence(said: str) -> str:
    return f"The{said[3:]}" if said.startswith("the ") else said
