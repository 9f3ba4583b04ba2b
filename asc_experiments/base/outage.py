"""What is no trial's fault: a server that is away, a disk that is full or read-only. Work stops and goes on later."""

from __future__ import annotations

from collections.abc import Iterator

from asc_experiments.base.errors import AscError

GOES_ON = "the same command goes on"
_FULL = ("No space left on device", "disk is full", "Disk quota exceeded", "File too large", "disk I/O error")
_READ_ONLY = ("Read-only file system", "readonly database")


class Outage(AscError):  # noqa: N818 - nobody erred
    """Something outside that work needs is away, full or read-only: whoever hears of it stops, and blames no trial."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from or while handling, the latest first."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def is_full(error: BaseException) -> bool:
    """Whether an error means that a disk or quota is full, on this machine or, as a server says, on its own."""
    return any(words in str(each) for each in chain(error) for words in _FULL)


def is_read_only(error: BaseException) -> bool:
    """Whether an error means that what should be written to is read-only."""
    return any(words in str(each) for each in chain(error) for words in _READ_ONLY)


def outage_of(error: BaseException, where: object) -> Outage | None:
    """The outage that an error tells of: itself, a full disk or a read-only one; None where it is something else.

    Args:
        error: what was raised.
        where: what was being written, for the line.
    """
    for each in chain(error):
        if isinstance(each, Outage):
            return each
    if is_full(error):
        return Outage(where, "no space is left to write to", f"free some; {GOES_ON}")
    if is_read_only(error):
        return Outage(where, "is read-only", f"make it writable, or give another --workspace; {GOES_ON}")
    return None
