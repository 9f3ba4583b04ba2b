"""Outages that a driver meets: its study's storage, its disk. Each is one line, and no trial is blamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import InterfaceError, OperationalError

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import GOES_ON, Outage, chain, outage_of

_AWAY = (StorageInternalError, OperationalError, InterfaceError)


def study_outage(error: BaseException, study: str) -> Outage | None:
    """The outage that an error tells of; None where it is something else.

    Args:
        error: what a driver or a training was stopped by; from a worker process only its text came.
        study: the study's name.
    """
    if isinstance(error, AscError):
        return error if isinstance(error, Outage) else None
    names = tuple(kind.__name__ for kind in _AWAY)
    for each in chain(error):
        if isinstance(each, _AWAY) or str(each).startswith(names):
            kind = type(each).__name__ if isinstance(each, _AWAY) else str(each).partition(":")[0]
            if outage_of(each, study) is None:
                where = f"study '{study}'"
                return Outage(where, f"its storage does not answer ({kind})", f"start the database; {GOES_ON}")
    return outage_of(error, f"study '{study}'")


@contextmanager
def in_one_line(study: str) -> Iterator[None]:
    """Turn what means an outage into its line.

    Raises:
        Outage: if the block met one.
    """
    try:
        yield
    except Exception as error:
        outage = study_outage(error, study)
        if outage is None or outage is error:
            raise
        raise outage from None
