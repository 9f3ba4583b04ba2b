"""Errors that a user can mend: one line that says where, what, and what to do.

The command line prints such an error as that one line and exits with 2. Anything else that is raised is a defect of
this program and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


class AscError(Exception):
    """Something the user can mend.

    Args:
        where: the file, key or address at fault.
        what: what is wrong with it.
        remedy: what to do about it.
    """

    def __init__(self, where: object, what: str, remedy: str = "") -> None:
        self.where, self.what, self.remedy = str(where), what, remedy
        super().__init__(self.line())

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes whole."""
        return type(self), (self.where, self.what, self.remedy)

    def line(self) -> str:
        """The error as one line of text."""
        text = f"{self.where}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")
        return " ".join(text.split())


@dataclass(frozen=True)
class Problem:
    """One fault found by a check: the same three parts as an :class:`AscError`."""

    where: str
    what: str
    remedy: str

    def line(self) -> str:
        """The problem as one line of text."""
        return AscError(self.where, self.what, self.remedy).line()


class ProblemsError(AscError):
    """Several problems at once; the line names the first and counts the rest."""

    def __init__(self, problems: Sequence[Problem], see_all: str) -> None:
        self.problems, self.see_all = tuple(problems), see_all
        first = problems[0]
        more = f" (and {len(problems) - 1} more: {see_all})" if len(problems) > 1 else ""
        super().__init__(first.where, first.what, first.remedy + more)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes whole."""
        return type(self), (self.problems, self.see_all)


class NotFiniteError(AscError):
    """A training's loss became infinite or not a number."""


def without_secrets(uri: str) -> str:
    """A URI without user, password and query, fit to be shown."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return uri
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint that names the valid spelling nearest to ``name``, or lists all of them."""
    names = sorted(set(valid))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else "valid: " + ", ".join(names)
