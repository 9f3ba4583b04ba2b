"""Which package an architecture or a loss is from that is not installed here: studies begun with it know."""

from __future__ import annotations

from pathlib import Path

import optuna

from asc_experiments.base.entry_points import UnknownNameError
from asc_experiments.base.errors import AscError, together
from asc_experiments.study.storage.open_storage import JOURNAL, open_storage, study_names
from asc_experiments.study.storage.trial_status import PACKAGES


def naming_packages(error: AscError, workspace: Path, storage: str | None) -> AscError:
    """The error, with the packages of architectures and losses that are not installed, where a study knows them.

    Args:
        error: what is wrong with a study file.
        workspace: as :func:`open_storage` takes it; nothing is made in it.
        storage: the same.
    """
    if not any(_is_absent(each) for each in error.each()) or not (
        storage or (workspace / "studies" / JOURNAL).exists()
    ):
        return error
    try:
        opened = open_storage(workspace, storage)
        told = [
            optuna.load_study(study_name=n, storage=opened).user_attrs.get(PACKAGES, {}) for n in study_names(opened)
        ]
    except AscError:  # the file's mistake comes first
        return error
    known = {name: package for each in told for name, package in each.items()}
    return together(_naming(each, known) for each in error.each())


def _naming(error: AscError, known: dict[str, str]) -> AscError:
    if isinstance(error, UnknownNameError) and _is_absent(error) and error.name in known:
        return AscError(
            error.where, f"{error.noun} '{error.name}' is not installed", f"pip install {known[error.name]}"
        )
    return error


def _is_absent(error: AscError) -> bool:
    return isinstance(error, UnknownNameError) and error.noun in ("architecture", "loss")
