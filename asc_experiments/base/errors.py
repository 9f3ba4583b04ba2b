"""Errors that a user can correct: one line that says where, what, and what to do.

The command line prints such an error as that one line and exits with 2. Anything else that is raised is a defect of
this program and keeps its traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_USER_OF_ADDRESS = re.compile(r"(\b[a-zA-Z][\w+.-]*://)[^\s/?#]*@")
_SECRET_OF_QUERY = re.compile(r"([?&]\w*(?:password|secret|token)=)[^\s&]+", re.IGNORECASE)


class AscError(Exception):
    """Something the user can correct.

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
        """The error as one line that a terminal shows as it is, without passwords."""
        return harmless(f"{self.where}: {self.what}" + (f"; {self.remedy}" if self.remedy else ""))

    def each(self) -> tuple[AscError, ...]:
        """The errors that this one consists of: itself, unless there are several."""
        return (self,)


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


class SeveralErrors(AscError):  # noqa: N818 - they are
    """Several mistakes of one file or command line; the line names the first and counts the others."""

    def __init__(self, errors: Sequence[AscError]) -> None:
        self._errors = tuple(errors)
        first = errors[0]
        super().__init__(first.where, first.what, f"{first.remedy} (and {len(errors) - 1} more)".strip())

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes whole."""
        return type(self), (self._errors,)

    def each(self) -> tuple[AscError, ...]:
        """The errors, each with a line of its own."""
        return self._errors


def together(errors: Iterable[AscError]) -> AscError:
    """Errors as one, each line once."""
    distinct = {each.line(): each for error in errors for each in error.each()}
    found = list(distinct.values())
    return found[0] if len(found) == 1 else SeveralErrors(found)


def errors_of(checks: Iterable[Callable[[], object]]) -> list[AscError]:
    """Do all checks; the errors of all of them, one by one."""
    found: list[AscError] = []
    for check in checks:
        try:
            check()
        except AscError as error:
            found += error.each()
    return found


def check_all(checks: Iterable[Callable[[], object]]) -> None:
    """Do all checks, and tell what is wrong at once.

    Raises:
        AscError: the errors of all of them.
    """
    if found := errors_of(checks):
        raise together(found)


class NotFiniteError(AscError):
    """A training's loss became infinite or not a number."""


def without_secrets(uri: str) -> str:
    """A URI without user, password and query, fit to be shown."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return uri
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def harmless(text: str) -> str:
    """A text as one line: no passwords of addresses, and what would steer a terminal written out.

    The last net under messages of libraries, which may name an address whole; files and servers may hold anything.
    """
    return written_out(_SECRET_OF_QUERY.sub(r"\1…", _USER_OF_ADDRESS.sub(r"\1", " ".join(text.split()))))


def written_out(text: str) -> str:
    """A text with escapes in place of what would steer a terminal; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """A text with escapes in place of what would steer a terminal or end the line: names of files hold anything."""
    return text if text.isprintable() else written_out(text).replace("\n", "\\n").replace("\t", "\\t")


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint that names the valid spelling nearest to ``name``, or lists all of them."""
    names = sorted(set(valid))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else "valid: " + ", ".join(names)
