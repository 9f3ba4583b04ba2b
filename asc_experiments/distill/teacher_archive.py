"""A Teacher as a folder, to be carried into another workspace: network, logits, and what they are, with checksums."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import Field

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_file, digest_json
from asc_experiments.base.locks import lock_path
from asc_experiments.base.settings import Settings
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill.bank import TeacherBank, log_logits
from asc_experiments.distill.keys import Conditions, key_of_schema_1, teacher_key
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.teacher import KEY, LOGITS_DIGEST, RESPONSES, Teacher, lock_of
from asc_experiments.tracking.registry.network_store import fetch_network, log_network
from asc_experiments.tracking.trials import (
    CORPUS,
    HELD_OUT,
    IMPORTED,
    MODEL_ID,
    NUMBER_FORMAT,
    RECIPE,
    REFERENCE_DEVICE,
    TRAIN_SPLIT,
    TRAINING_CLIPS,
)
from asc_experiments.training import Recipe, SceneNetwork, load_network, save_network

DESCRIPTION, _LOGITS = "teacher.json", "logits.npz"
_NETWORK = ("network.json", "weights.safetensors")
_FILES = {DESCRIPTION, _LOGITS, *_NETWORK}


class TeacherFile(Settings):
    """What ``teacher.json`` says.

    Attributes:
        format: of the folder; 1 is an earlier version's, which did not say in which numbers a Teacher was trained.
        key, name, recipe, split: the Teacher's; no recipe where there is no network.
        corpus, impulse_responses: the digests of what it was trained on.
        number_format, reference_device: what else decided how it came out; None where it was imported.
        train_split, training_clips: the name and the digest of the list of clips that alone it was trained on.
        imported: the tag of a Teacher that was itself imported, else empty.
        scorecard: its metrics.
        files: the digest of every other file of the folder.
        checksum: the digest of everything else in here.
    """

    format: Literal[1, 2] = 2
    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    name: str = Field(min_length=1, max_length=250)
    recipe: Recipe | None
    split: ValidationSplit
    corpus: str = Field(pattern=r"^[0-9a-f]{32}$")
    impulse_responses: str | None = None
    number_format: str | None = None
    reference_device: str | None = None
    train_split: str | None = None
    training_clips: str | None = None
    imported: str = ""
    scorecard: dict[str, float]
    files: dict[str, str]
    checksum: str = ""

    def true_key(self) -> str:
        """The key that belongs to everything else in here; another version may have hashed it differently."""
        weights = self.imported.partition(" ")[0] or None
        if self.format == 1:
            return key_of_schema_1(self.recipe, self.corpus, self.split, self.impulse_responses, weights)
        conditions = Conditions(self.number_format, self.impulse_responses, self.reference_device, self.training_clips)
        return teacher_key(self.recipe, self.corpus, self.split, conditions, weights)

    def written(self) -> str:
        """The text of ``teacher.json``, with its checksum."""
        entries = self.model_dump(mode="json", exclude={"checksum"})
        return json.dumps(entries | {"checksum": digest_json(entries)}, indent=1, ensure_ascii=False)


def export_teacher(teacher: Teacher, folder: Path, force: bool = False) -> None:
    """Write a Teacher into a new folder, which appears when it is whole.

    Args:
        teacher: from the bank.
        folder: does not exist, or is empty.
        force: replace a folder that holds an exported Teacher and nothing else.

    Raises:
        AscError: if the folder is in the way or cannot be written, or the Teacher's files are damaged.
    """
    _check_free(folder, force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
            partial = Path(place, "teacher")
            partial.mkdir()
            _write(teacher, partial)
            if folder.exists():
                folder.rename(Path(place, "replaced"))
            partial.rename(folder)
    except OSError as error:
        raise AscError(folder, f"cannot be written ({error.strerror})", "give another folder: -o DIR") from None


def import_teacher(bank: TeacherBank, folder: Path, cache: Path) -> Teacher:
    """Put an exported Teacher into a bank, under the key it had; one that is there already is left alone.

    Args:
        bank: where to.
        folder: what :func:`export_teacher` wrote.
        cache: the folder that holds the locks.

    Raises:
        AscError: if a file is missing, damaged or changed.
    """
    about = read_teacher_file(folder)
    table = LogitTable.load(folder / _LOGITS)
    network = _network(folder, about)

    def store() -> None:
        with bank.tracking.run(bank.experiment_id, about.name, "teacher", _tags(about)) as run:
            model_id = None
            if network is not None:
                recipe = network.recipe
                run.params(recipe.flat() | {"augment": recipe.augment, "size": recipe.size})
                model_id = log_network(run, network)
                run.tags({MODEL_ID: model_id})
            run.metrics(about.scorecard, model_id=model_id)
            run.tags({LOGITS_DIGEST: log_logits(run, table)})

    return bank.once(about.key, about.name, FileLock(lock_path(cache, lock_of(about.key))), store)


def read_teacher_file(folder: Path) -> TeacherFile:
    """Read ``teacher.json`` and check every file that it names.

    Raises:
        AscError: if a file is missing, damaged or changed.
    """
    path = folder / DESCRIPTION
    try:
        text = path.read_text(encoding="utf-8")
        about, entries = TeacherFile.model_validate_json(text), json.loads(text)
    except FileNotFoundError:
        raise AscError(folder, f"holds no {DESCRIPTION}", "give a folder that `asc teacher export` wrote") from None
    except (OSError, ValueError) as error:
        what = f"cannot be read ({type(error).__name__})"
        raise AscError(path, what, "export the teacher again, with this version") from None
    if entries.pop("checksum", None) != digest_json(entries):  # of what is written there, whatever was added since
        raise AscError(path, "was changed since it was written", "export the teacher again")
    if about.key != about.true_key() or _LOGITS not in about.files:
        raise AscError(path, "its key does not belong to what it describes", "export it again, with this version")
    for name, digest in about.files.items():
        if name not in _FILES or not (folder / name).is_file() or digest_file(folder / name) != digest:
            raise AscError(folder / name, "is missing or damaged", "copy or export the teacher again")
    return about


def _write(teacher: Teacher, folder: Path) -> None:
    teacher.logits.save(folder / _LOGITS)
    names = [_LOGITS]
    if teacher.model_id is not None:
        save_network(fetch_network(teacher.tracking, f"models:/{teacher.model_id}"), folder)
        names += _NETWORK
    about = TeacherFile(
        key=teacher.key,
        name=teacher.name,
        recipe=teacher.recipe,
        split=teacher.split,
        corpus=teacher.record.tags[CORPUS],
        impulse_responses=teacher.record.tags.get(RESPONSES),
        number_format=teacher.number_format,
        reference_device=teacher.reference_device,
        train_split=teacher.train_split,
        training_clips=teacher.training_clips,
        imported=teacher.record.tags.get(IMPORTED, ""),
        scorecard={name: value for name, value in sorted(teacher.metrics.items()) if math.isfinite(value)},
        files={name: digest_file(folder / name) for name in names},
    )
    if about.true_key() != about.key:
        about = about.model_copy(update={"format": 1})
    (folder / DESCRIPTION).write_text(about.written())


def _check_free(folder: Path, force: bool) -> None:
    """Refuse what is in the way: only an exported Teacher is ever replaced, lest someone's own folder is."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise AscError(folder, "is no folder", "give another: -o DIR")
    names = {path.name for path in folder.iterdir()}
    if names and not force:
        raise AscError(folder, "is not empty", "give another folder, or --force to replace the teacher in it")
    if names and not (DESCRIPTION in names and names <= _FILES):
        raise AscError(folder, "holds something else than an exported teacher", "give another folder: -o DIR")


def _network(folder: Path, about: TeacherFile) -> SceneNetwork | None:
    if _NETWORK[0] not in about.files:
        return None
    network = load_network(folder)
    if network.recipe != about.recipe:
        raise AscError(folder, f"{_NETWORK[0]} and {DESCRIPTION} tell of different recipes", "export it again")
    return network


def _tags(about: TeacherFile) -> dict[str, str]:
    tags = {KEY: about.key, CORPUS: about.corpus, HELD_OUT: about.split.model_dump_json()}
    tags |= {RECIPE: about.recipe.model_dump_json()} if about.recipe else {}
    tags |= {RESPONSES: about.impulse_responses} if about.impulse_responses else {}
    tags |= {NUMBER_FORMAT: about.number_format} if about.number_format else {}
    tags |= {REFERENCE_DEVICE: about.reference_device} if about.reference_device else {}
    tags |= {TRAIN_SPLIT: about.train_split} if about.train_split else {}
    tags |= {TRAINING_CLIPS: about.training_clips} if about.training_clips else {}
    return tags | ({IMPORTED: about.imported} if about.imported else {})
