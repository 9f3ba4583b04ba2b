"""The Model Registry: a study's best student under a name and an alias, registered once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError
from asc_experiments.tracking.client import Tracking
from asc_experiments.tracking.run import RunRecord
from asc_experiments.tracking.trials import (
    MODEL_ID,
    OBJECTIVE,
    STUDY,
    TEACHERS,
    TRIAL,
    best_trial,
    finished_trials,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_ALIAS = re.compile(r"(?!(?i:v\d+|latest)$)[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True)
class Registered:
    """A registered version: where to load it from, and what it is."""

    model: str
    version: int
    alias: str
    trial: int
    is_new: bool
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        """The URI that follows the alias."""
        return f"models:/{self.model}@{self.alias}"


def register_best(tracking: Tracking, study: str, model: str = "asc-student", alias: str = "champion") -> Registered:
    """Register the student of a study's best trial. The same student is never registered twice under one name.

    Args:
        tracking: the server.
        study: the study's name.
        model: the name in the registry.
        alias: moved to this version.

    Raises:
        AscError: if the study has no finished trial, or a name is not valid.
    """
    for option, name, valid in (("--model", model, _NAME), ("--alias", alias, _ALIAS)):
        if not valid.fullmatch(name):
            raise AscError(f"{option} {name}", "is no valid name", "use letters, digits, _ and -; not 'latest' or 'v1'")
    trial = best_trial(finished_trials(tracking, study), study)
    tags = _tags(trial)
    source = f"models:/{trial.tags[MODEL_ID]}"
    client = tracking.client
    try:
        client.create_registered_model(model, description="Low-complexity acoustic scene classifiers")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = client.search_model_versions(f"name = '{model}'")
    same = [version for version in known if version.tags.get(MODEL_ID) == trial.tags[MODEL_ID]]
    if same:
        version = int(same[0].version)
        for key, value in tags.items():
            client.set_model_version_tag(model, str(version), key, value)
    else:
        with tracking.current():
            made = client.create_model_version(model, source, trial.run_id, tags, model_id=trial.tags[MODEL_ID])
        version = int(made.version)
    client.set_registered_model_alias(model, alias, str(version))
    return Registered(model, version, alias, int(trial.tags[TRIAL]), not same, tags)


def _tags(trial: RunRecord) -> dict[str, str]:
    """What someone wants to know of a version before loading it."""
    tags = {
        "study": trial.tags[STUDY],
        "trial": trial.tags[TRIAL],
        "teachers": trial.params.get("teachers", "none"),
        "teacher_keys": trial.tags.get(TEACHERS, ""),
        "objective": trial.tags[OBJECTIVE],
        MODEL_ID: trial.tags[MODEL_ID],
    }
    for name, value in trial.metrics.items():
        if name.startswith("complexity/"):
            tags[name] = f"{value:.0f}"
        elif name in ("accuracy/overall", "accuracy/macro", "device_generalization") or (
            name.startswith(("accuracy/group/", "accuracy/device/")) and not name.endswith("_std")
        ):
            tags[name] = f"{value:.4f}"
    return tags
