"""Outages that a driver meets: its study's storage, its disk, its cluster. Each is one line, and no trial is blamed.

What an error tells of is decided in :mod:`asc_experiments.base.outage`; here it is said of which study.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Outage, is_of_a_database, outage_of

_AWAY = "its storage does not answer"
_UPGRADE = "run `optuna storage upgrade --storage URL`"


def study_outage(error: BaseException, study: str) -> Outage | None:
    """The outage that an error tells of; None where it is something else.

    Args:
        error: what a driver or a training was stopped by; from a worker process only its text came.
        study: the study's name.
    """
    if isinstance(error, AscError):
        return error if isinstance(error, Outage) else None
    return outage_of(error, f"study '{study}'", _AWAY if is_of_a_database(error) else "", _UPGRADE)


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
