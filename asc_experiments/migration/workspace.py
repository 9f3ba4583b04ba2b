"""A whole move: studies with Optuna's and MLflow's part into an archive, and out of it into another place."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.storages import BaseStorage

from asc_experiments.base.errors import AscError
from asc_experiments.base.locks import lock_path
from asc_experiments.base.progress import say
from asc_experiments.migration.archive import writing
from asc_experiments.migration.export import STUDENTS_EXPERIMENT, TEACHERS_EXPERIMENT, Export, Exported
from asc_experiments.migration.imports import Import, Imported
from asc_experiments.migration.optuna_studies import StudyEntry, StudyImport, is_ours, study_entry
from asc_experiments.migration.unpacking import Archive
from asc_experiments.study.storage.open_storage import load_study, study_lock, study_names
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.trials import TRIAL_KIND, study_experiment

_STUDIES = "studies/"


@dataclass(frozen=True)
class Moved:
    """What an export wrote or an import added: studies and their trials, runs and the rest."""

    studies: tuple[str, ...]
    trials: int
    rest: Exported | Imported

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {"studies": list(self.studies), "trials": self.trials} | asdict(self.rest)


def export_workspace(
    open_tracking: Callable[[], Tracking], storage: BaseStorage, cache: Path, path: Path, studies: Sequence[str] = ()
) -> Moved:
    """Write studies into an archive.

    Args:
        open_tracking: opens the server that they are in, once the storage knows them.
        storage: Optuna's, that they are in.
        cache: folder for locks, and for one run's files at a time.
        path: the archive, ``….tar`` or ``….tar.gz``.
        studies: their names; none takes all of them, all teachers and the single students.

    Raises:
        AscError: if a study does not exist or is active, or the archive cannot be written.
    """
    chosen = list(dict.fromkeys(studies)) or [
        name for name in study_names(storage) if is_ours(load_study(storage, name))
    ]
    entries = [study_entry(load_study(storage, name)) for name in chosen]
    tracking = open_tracking()
    for name in studies:
        study_experiment(tracking, name)
    for name in [] if studies else _others(tracking, chosen):
        say(f"study {name}: is in the tracking server and not in this storage; its runs come along, its trials do not")
        chosen.append(name)
    with _folder(cache) as folder:
        export = Export(tracking, chosen, everything=not studies)
        with writing(path) as archive:
            done = export.write(archive, folder / "files")
            for number, entry in enumerate(entries):
                archive.text(f"{_STUDIES}{number}.json", entry.text())
            archive.seal(chosen)
    return Moved(tuple(chosen), sum(len(entry.trials) for entry in entries), done)


def import_workspace(
    open_tracking: Callable[[], Tracking], open_studies: Callable[[], BaseStorage], cache: Path, path: Path
) -> Moved:
    """Take everything out of an archive that is not here yet; killed, the same call finishes.

    Args:
        open_tracking: opens the server that they go to, once the archive was found whole.
        open_studies: opens Optuna's storage that they go to.
        cache: folder for locks, and for the unpacked archive.
        path: the archive.

    Raises:
        AscError: if the archive is damaged, or a study is here that is another one; nothing is written then.
    """
    with _folder(cache) as folder:
        archive = Archive.unpack(path, folder)
        names = archive.names(_STUDIES, ".json")
        entries = [StudyEntry.read(archive.read(name), f"{path}: {name}") for name in names]
        tracking, storage = open_tracking(), open_studies()
        with ExitStack() as locks:
            for name in sorted(entry.name for entry in entries):  # in order: two imports do not wait for each other
                locks.enter_context(study_lock(storage, cache, f"study-{name}"))
            studies = [
                StudyImport(entry, storage, f"{path}: {name}") for entry, name in zip(entries, names, strict=True)
            ]
            runs = Import(archive, tracking)
            for study in studies:
                if not study.is_there and runs.strangers(study.entry.name):
                    what = "is in the tracking server already, with other trials"
                    remedy = "give the --storage that has it, or import into another --tracking-uri"
                    raise AscError(f"study '{study.entry.name}'", what, remedy)
            done = runs.carry_out()
            trials = sum(study.carry_out() for study in studies)
    return Moved(tuple(archive.manifest.studies), trials, done)


@contextmanager
def _folder(cache: Path) -> Iterator[Path]:
    """An empty folder for one move at a time; what a killed one left there is removed."""
    folder = cache / "moving"
    with FileLock(lock_path(cache, "moving")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _others(tracking: Tracking, known: Sequence[str]) -> list[str]:
    """The studies of a tracking server that the storage does not know."""
    apart = {*known, TEACHERS_EXPERIMENT, STUDENTS_EXPERIMENT}
    found = tracking.experiments()
    records = tracking.search(list(found), where({KIND: TRIAL_KIND}))
    return sorted({found[record.experiment_id] for record in records} - apart)
