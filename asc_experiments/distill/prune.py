"""What may go: Teachers that nobody learned from, and checkpoints of trainings that nobody resumes."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from asc_experiments.base.errors import AscError
from asc_experiments.distill.bank import TeacherBank
from asc_experiments.distill.teacher import Teacher
from asc_experiments.distill.usage import Usage, Use
from asc_experiments.tracking.registry.network_store import delete_network

_DAY_S = 86_400


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a Teacher goes, and why."""

    teacher: Teacher
    goes: bool
    reason: str


@dataclass(frozen=True)
class Leftover:
    """A file in the cache that an interrupted training left."""

    path: Path
    size: int
    days: float


@dataclass(frozen=True)
class Wish:
    """What someone asked to have pruned.

    Attributes:
        keys: exactly these Teachers, also where somebody learned from them; without any, all that are unused.
        older_than: only what is at least so many days old.
        keep: keys that stay.
    """

    keys: tuple[str, ...] = ()
    older_than: float = 0.0
    keep: tuple[str, ...] = ()


def judge(bank: TeacherBank, wish: Wish) -> list[Verdict]:
    """Say of every Teacher that is asked about whether it goes; nothing is deleted.

    Raises:
        AscError: if a key does not exist.
    """
    keep = {bank.named(key, or_absent=True).key for key in wish.keep}
    named = [bank.named(key, or_absent=True) for key in dict.fromkeys(wish.keys)]
    teachers = named if wish.keys else bank.all(or_absent=True)
    usage = Usage.read(bank.tracking)
    return [_verdict(teacher, wish, keep, usage) for teacher in teachers]


def prune(bank: TeacherBank, verdicts: Sequence[Verdict]) -> None:
    """Delete the Teachers that go, with their networks; deleted runs can be restored in MLflow until its `gc`."""
    for verdict in verdicts:
        if verdict.goes:
            for record in bank.records(verdict.teacher.key):
                bank.tracking.delete(record.run_id)
                model_id = Teacher.from_record(record, bank.tracking, or_absent=True).model_id
                if model_id:
                    delete_network(bank.tracking, model_id)


def leftovers(cache: Path, older_than: float) -> list[Leftover]:
    """Checkpoints, whole or partly written, of trainings that no process is at, at least so many days old."""
    found = []
    for path in sorted((cache / "checkpoints").glob("*")):
        if path.suffix not in (".ckpt", ".partial"):
            continue
        with suppress(FileNotFoundError), _idle(cache, path) as is_idle:
            status = path.stat()
            days = (time.time() - status.st_mtime) / _DAY_S
            if is_idle and days >= older_than:
                found.append(Leftover(path, status.st_size, days))
    return found


def remove(cache: Path, found: Sequence[Leftover]) -> int:
    """Delete leftovers, except those whose training has begun again meanwhile; the bytes that are freed.

    Raises:
        AscError: if one cannot be deleted.
    """
    freed = 0
    for leftover in found:
        with _idle(cache, leftover.path) as is_idle:
            try:
                if is_idle:
                    leftover.path.unlink(missing_ok=True)
                    freed += leftover.size
            except OSError as error:
                raise AscError(leftover.path, f"cannot be deleted ({error.strerror})", "delete it by hand") from None
    return freed


def _verdict(teacher: Teacher, wish: Wish, keep: Collection[str], usage: Usage) -> Verdict:
    uses = [use for use in usage.of.get(teacher.key, ()) if use.counts]
    days = (time.time() - teacher.record.start_time / 1_000) / _DAY_S
    active = [use for use in uses if use.is_active]
    if teacher.key in keep:
        return Verdict(teacher, False, "to be kept")
    if active:
        return Verdict(teacher, False, _used_by(active))
    if wish.keys:
        return Verdict(teacher, True, f"named; {_used_by(uses)}" if uses else "named")
    if uses:
        return Verdict(teacher, False, _used_by(uses))
    if usage.undecided:
        return Verdict(teacher, False, f"may be wanted by {usage.undecided[0]}")
    if days < wish.older_than:
        return Verdict(teacher, False, f"unused, {days:.1f} days old")
    return Verdict(teacher, True, f"unused, {days:.1f} days old")


def _used_by(uses: Sequence[Use]) -> str:
    more = f" and {len(uses) - 1} more" if uses[1:] else ""
    return f"used by {uses[0]}{more}"


@contextmanager
def _idle(cache: Path, path: Path) -> Iterator[bool]:
    """Hold the lock of a checkpoint's training for a block; whether no process is at that training."""
    lock = FileLock(cache / "locks" / f"training-{path.stem}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
