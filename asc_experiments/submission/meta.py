"""The meta file of a submission to DCASE 2024 task 1: who, what, and what it reached on the development set.

What the program knows is filled in; what only people know is left to be written, as ``FILL IN``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from asc_experiments.base.errors import AscError
from asc_experiments.base.files import whole_file
from asc_experiments.metrics import ACCURACY, DEVICE, LOSS, MACRO, OVERALL, SCENE
from asc_experiments.submission.label import Label
from asc_experiments.submission.package import Packed
from asc_experiments.tracking import RunRecord

SPLITS = ("5", "10", "25", "50", "100")
"""The lists of training clips of 2024, in percent: one system is trained on each."""
_FILL_IN = "FILL IN"
_PARTS = 4


@dataclass(frozen=True)
class Author:
    """One of the authors; the first is the corresponding one."""

    lastname: str
    firstname: str
    email: str
    affiliation: str

    @classmethod
    def parse(cls, text: str) -> Author:
        """Read ``Lastname, Firstname, e-mail, affiliation``.

        Raises:
            AscError: if it is not that.
        """
        parts = [part.strip() for part in text.split(",", _PARTS - 1)]
        if len(parts) < _PARTS or not all(parts):
            raise AscError(f"--author {text}", "is no author", "write 'Lastname, Firstname, e-mail, affiliation'")
        return cls(*parts)


def write_meta(
    output: Path, label: Label, authors: Sequence[Author], packed: Packed, systems: Mapping[str, RunRecord]
) -> list[str]:
    """Write the meta file.

    Args:
        output: the file, which appears whole or not at all.
        label: whose submission it is.
        authors: the corresponding one first; none leaves one to be written.
        packed: what the system costs.
        systems: the run of each system, by the list that it was trained on, such as ``25``.

    Returns:
        What a person has to write.
    """
    named = [vars(author) | {"corresponding": number == 0} for number, author in enumerate(authors)]
    named = named or [dict.fromkeys(Author.__annotations__, _FILL_IN) | {"corresponding": True}]
    record = next(iter(systems.values()))
    meta: dict[str, Any] = {
        "submission": {
            "label": str(label),
            "name": f"{packed.model.recipe.arch} taught by {record.params.get('teachers', 'labels alone')}",
            "abbreviation": _FILL_IN,
            "authors": [_author(each) for each in named],
        },
        "system": {
            "description": _described(packed, record),
            "complexity": {
                "total_model_size": packed.bytes,
                "total_parameters": sum(each.numel() for each in packed.model.for_device("").parameters()),
                "macs": packed.macs,
            },
            "external_datasets": [{"name": _FILL_IN, "url": _FILL_IN, "total_audio_length": _FILL_IN}],
            "source_code": _FILL_IN,
        },
        "results": {
            "development_dataset": {
                f"split_{split}": _results(run.metrics) for split, run in sorted(systems.items(), key=_by_size)
            }
        },
    }
    with whole_file(output) as write:
        write(yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=120).encode())
    return sorted({place for place, value in _flat("", meta) if value == _FILL_IN})


def _author(named: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "lastname": named["lastname"],
        "firstname": named["firstname"],
        "email": named["email"],
        "corresponding": named["corresponding"],
        "affiliation": {"abbreviation": _FILL_IN, "institute": named["affiliation"], "department": "", "location": ""},
    }


def _described(packed: Packed, record: RunRecord) -> dict[str, Any]:
    recipe = packed.model.recipe
    augments = {"none": [], "dir": ["dir"], "fms": ["freq-mixstyle"], "dirfms": ["freq-mixstyle", "dir"]}
    teachers = record.params.get("teachers", "")
    managed: list[str] = ["precision_16" if packed.model.precision == "float16" else packed.model.precision]
    managed += ["knowledge distillation"] if teachers and teachers != "labels alone" else []
    return {
        "input_sampling_rate": "32kHz",
        "acoustic_features": "log-mel energies",
        "data_augmentation": ", ".join([*augments.get(recipe.augment, [recipe.augment]), "time rolling"]),
        "machine_learning_method": recipe.arch,
        "external_data_usage": _FILL_IN,
        "complexity_management": ", ".join(managed),
        "pipeline": "training" if len(managed) == 1 else "train teachers, ensemble their logits, train student",
        "framework": "pytorch",
        "split_adaptations": _FILL_IN,
        "system_adaptations": _FILL_IN,
    }


def _results(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Accuracies in percent and log losses: the mean over the scenes, of each scene, of each device."""

    def of(part: str, member: str = "") -> dict[str, float]:
        accuracy, loss = metrics.get(str(ACCURACY.of(part, member))), metrics.get(str(LOSS.of(part, member)))
        if loss is None:
            loss = metrics.get(str(LOSS.of(OVERALL)))
        known = {"accuracy": None if accuracy is None else 100 * accuracy, "logloss": loss}
        return {name: round(value, 4) for name, value in known.items() if value is not None}

    scenes = ACCURACY.of(SCENE).members(metrics)
    devices = ACCURACY.of(DEVICE).members(metrics)
    return {
        "overall": of(MACRO),
        "class_wise": {scene: of(SCENE, scene) for scene in scenes},
        "device_wise": {device: of(DEVICE, device) for device in devices},
    }


def _by_size(system: tuple[str, RunRecord]) -> int:
    return int(system[0])


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [each for key, inner in value.items() for each in _flat(f"{prefix}.{key}".lstrip("."), inner)]
    if isinstance(value, list):
        return [each for inner in value for each in _flat(prefix, inner)]
    return [(prefix, value)]
