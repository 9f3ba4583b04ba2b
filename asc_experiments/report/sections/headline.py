"""The heading of the answer: as sure as the study is, and no surer."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.report.answer import Answer
from asc_experiments.report.lead import Rival, Worth
from asc_experiments.report.words import counted

_NAMED = 2
"""Rivals that a heading names; more are counted."""
_LUCK = "by one student per trial: luck is not ruled out"


def headline(answer: Answer) -> str:
    """Which teachers to use, if the study can say so; else who leads, and who cannot be told apart from it."""
    lead, who = answer.lead, _called(answer.taught_by)
    if lead.worth is Worth.NO_TEACHER:
        return f"No teacher was tried; the best student on labels alone is that of trial {answer.number}"
    if not answer.keys:
        return _without_teachers(answer)
    if not lead.others:
        return _sentence(f"{who} was tried, and nothing beside it")
    if not lead.is_measured:
        return _sentence(f"{who} leads, {_LUCK}")
    if lead.worth is Worth.NOT_SHOWN:
        return _sentence(
            f"{who} leads, but the student on labels alone cannot be told apart from it: teachers are not shown to help"
        )
    if lead.contenders:
        return _sentence(f"{who} leads, but {_named(lead.contenders, lead.others)} be told apart from it")
    return f"Use {who}"


def _without_teachers(answer: Answer) -> str:
    lead = answer.lead
    if lead.worth is Worth.REFUTED:
        return f"Teachers did not help here: the best student is trial {answer.number}, on labels alone"
    if not lead.is_measured:
        return f"Labels alone lead, {_LUCK}; teachers are not shown to help"
    taught = sum(rival.has_teachers for rival in lead.rivals)
    rest = f"{counted(taught, 'taught student')} cannot be told apart from it"
    return f"Labels alone lead, and {rest}: teachers are not shown to help"


def _named(rivals: Sequence[Rival], others: int) -> str:
    """The rivals and that they cannot: by their teachers where they are few, else counted."""
    teachers = list(dict.fromkeys(_called(rival.taught_by) for rival in rivals))
    if len(teachers) <= _NAMED:
        return f"{' and '.join(teachers)} cannot"
    if len(rivals) == others:
        return f"none of the {others} others can"
    return f"{len(rivals)} of the {others} others cannot"


def _called(teachers: str) -> str:
    """Teachers as part of a sentence: several kinds are one ensemble."""
    return f"the ensemble {teachers}" if " + " in teachers else teachers


def _sentence(said: str) -> str:
    return f"The{said[3:]}" if said.startswith("the ") else said
