"""Reading a study file with everything that can be told of it without a corpus: all of its mistakes at once."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from asc_experiments.base.errors import AscError, errors_of, nearest, together
from asc_experiments.metrics import METRICS, MetricKey, metric_names
from asc_experiments.study.definition.study_file import COMPLEXITIES, StudyFile, study_values, without_mistakes
from asc_experiments.study.search.search_space import SearchSpace


def read_whole_study(path: Path, overrides: dict[str, Any] | None = None, scale: str | None = None) -> StudyFile:
    """Read a study file, and try every choice and both ends of every range.

    Args:
        path: the file, or the name of a study that comes with the program.
        overrides: settings to replace, by dotted name.
        scale: one of the file's ``scales``.

    Raises:
        AscError: with a line for each mistake of the file.
    """
    values = study_values(path, overrides, scale)
    found: list[AscError] = []
    try:
        study = StudyFile.parse(values, str(path))
    except AscError as error:
        found.append(error)
        with suppress(AscError):  # too much is wrong to say more
            study = StudyFile.parse(without_mistakes(values), str(path))
            found += _mistakes(study, path)
        raise together(found) from None
    if found := _mistakes(study, path):
        raise together(found)
    return study


def _mistakes(study: StudyFile, path: Path) -> list[AscError]:
    """What is wrong with settings that each are of the right kind."""
    checks = [partial(SearchSpace(study).check, str(path))]
    checks += [partial(check_metric_name, each.metric, f"{path}: objective") for each in study.objectives]
    return errors_of(checks)


def check_metric_name(metric: str, where: str) -> None:
    """Refuse a metric that no corpus has; whether this one has such devices, groups and scenes is another question.

    Raises:
        AscError: with the nearest name.
    """
    if metric in COMPLEXITIES:
        return
    key = MetricKey.parse(metric)
    if metric not in metric_names([key.member], [key.member], [key.member]):
        METRICS.check_loaded(key.name, where)
        known = metric_names(["DEVICE"], ["unseen", "seen", "real"], ["SCENE"])
        raise AscError(where, f"unknown metric '{metric}'", nearest(metric, [*known, *COMPLEXITIES]))
