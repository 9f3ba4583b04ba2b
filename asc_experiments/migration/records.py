"""What is moved between tracking servers, as plain records: experiments, runs, logged models, registered versions.

The records are JSON in an archive. They are read strictly: an archive may come from anybody.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asc_experiments.base.errors import AscError
from asc_experiments.base.settings import explain
from asc_experiments.tracking.client.creating import BIRTH

IMPORTED_FROM, IMPORT_DIGEST = "asc.imported_from", "asc.import_digest"
"""Tags of what was imported: the id that it had where it was made, however often it moved; what it came as, once it is
whole."""
OF_IMPORT = (IMPORTED_FROM, IMPORT_DIGEST, BIRTH)
"""Tags that are of one server alone."""

RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
ModelId = Annotated[str, Field(pattern=r"^m-[0-9a-f]{32}$")]
Name = Annotated[str, Field(min_length=1, max_length=500)]
StudyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
"""As a study file may call it; an experiment of that name has a folder of that name."""
RunStatus = Annotated[str, Field(pattern=r"^(FINISHED|FAILED|KILLED)$")]
ModelStatus = Annotated[str, Field(pattern=r"^(READY|FAILED|PENDING|UNSPECIFIED)$")]


class Record(BaseModel):
    """A part of an archive: frozen, strict; numbers may be infinite or not a number, since metrics may."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")

    def text(self) -> str:
        """The record as JSON; the same record gives the same text."""
        return self.model_dump_json()

    @classmethod
    def read(cls, text: bytes, where: str) -> Self:
        """Read a record.

        Raises:
            AscError: if it is none.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            if error.errors()[0]["type"] == "json_invalid":
                raise AscError(where, "is not valid JSON", "export it again") from None
            raise explain(error, cls, where) from None


class Point(NamedTuple):
    """One value of a metric, its time in milliseconds since 1970, its step."""

    value: float
    timestamp: int
    step: int


class DatasetEntry(Record):
    """A dataset that a run was made from, with the tags of that use."""

    name: str
    digest: str
    source_type: str
    source: str
    dataset_schema: str | None
    profile: str | None
    tags: dict[str, str]


class RunEntry(Record):
    """A run with everything in it but its files.

    Attributes:
        id: where it was exported.
        origin: the id that it had where it was made.
        experiment: the experiment's name.
        start_time, end_time: in milliseconds since 1970.
        metrics: every value of every metric.
        made_from, made: the ids of logged models that it learned from, and that it made, with their steps.
    """

    id: RunId
    origin: RunId
    experiment: Name
    name: str
    status: RunStatus
    start_time: int
    end_time: int | None
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, list[Point]]
    datasets: list[DatasetEntry]
    made_from: list[ModelId]
    made: dict[ModelId, int]


class ModelPoint(Record):
    """One value of a metric that a run logged for a logged model."""

    run: RunId
    key: str
    point: Point
    dataset_name: str | None
    dataset_digest: str | None


class ModelEntry(Record):
    """A logged model with everything but its files; ``run`` made it."""

    id: ModelId
    origin: ModelId
    experiment: Name
    run: RunId
    name: Name
    model_type: str | None
    status: ModelStatus
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[ModelPoint]


class ExperimentEntry(Record):
    """An experiment: its id where it was exported, its name, its tags."""

    id: Annotated[str, Field(pattern=r"^\d{1,20}$")]
    name: StudyName
    tags: dict[str, str]


class VersionEntry(Record):
    """A registered version of a logged model."""

    version: Annotated[int, Field(ge=1)]
    model: ModelId
    run: RunId | None
    description: str
    tags: dict[str, str]


class RegisteredEntry(Record):
    """A name in the registry, with the versions that are moved, oldest first, and the aliases that lead to them."""

    name: Name
    description: str
    tags: dict[str, str]
    versions: list[VersionEntry]
    aliases: dict[str, int]


class TrackingEntry(Record):
    """What runs and models belong to."""

    experiments: list[ExperimentEntry]
    registered: list[RegisteredEntry]


def without_import(tags: dict[str, Any]) -> dict[str, str]:
    """Tags without those that an import set."""
    return {key: str(value) for key, value in tags.items() if key not in OF_IMPORT}
