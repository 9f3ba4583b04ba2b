"""The TeacherBank: finds a Teacher by its key in the tracking server, else has it trained. Each one is trained once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_file
from asc_experiments.base.progress import say
from asc_experiments.distill.keys import key_of_schema_1, teacher_key
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.teacher import (
    KEY,
    LOGITS,
    LOGITS_DIGEST,
    RESPONSES,
    Teacher,
    TeacherRecord,
    lock_of,
    name_on,
)
from asc_experiments.metrics import OVERALL_ACCURACY
from asc_experiments.tracking.client.bulk_read import finished_runs, finished_runs_in_database
from asc_experiments.tracking.client.connection import default_tracking_uri
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import RunRecord
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.trials import CLIP_SECONDS, CORPUS, HELD_OUT, IMPORTED, MODEL_ID, RECIPE

if TYPE_CHECKING:  # with them come PyTorch and MLflow, which a list of teachers does not wait for
    from asc_experiments.distill.environment import Environment
    from asc_experiments.distill.training_context import TrainingContext
    from asc_experiments.tracking import Run, Tracking
    from asc_experiments.training import Recipe

T = TypeVar("T", bound=TeacherRecord)

EXPERIMENT = "teachers"
_NOTE = "Every teacher that was trained or imported, once. Students of all studies learn from their logits."
_REFERENCE_OF_SCHEMA_1 = "a"
_COLUMNS = ("arch", "size", "augment", "epochs", "seed")


class TeacherBank:
    """All Teachers of one tracking server.

    Args:
        tracking: the server.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self.experiment_id = tracking.experiment(EXPERIMENT)

    def key(self, recipe: Recipe, bench: TrainingContext) -> str:
        """The key that this Recipe's Teacher has on this corpus and split, trained by this process.

        Raises:
            AscError: if the Recipe cannot be trained here.
        """
        return teacher_key(recipe, bench.store.corpus_digest, bench.split, bench.conditions(recipe))

    def get(self, recipe: Recipe, bench: TrainingContext) -> Teacher:
        """The Teacher of a Recipe, trained now if it has not been before; another process asking for it waits.

        Where its logits were damaged since, its network says them again; where that was damaged too, it is trained.

        Raises:
            AscError: if the Recipe cannot be trained with what the workbench has.
            NotFiniteError: if its loss becomes infinite or not a number.
        """
        from asc_experiments.distill.logit_repair import has_whole_logits

        key = self.key(recipe, bench)
        found = self._once(recipe, key, bench)
        if not has_whole_logits(found):
            with bench.lock(f"repair-{key}"):
                self._mend(key, bench)
            found = self._once(recipe, key, bench)
        return found

    def _once(self, recipe: Recipe, key: str, bench: TrainingContext) -> Teacher:
        return self.once(key, recipe.name, bench.lock(lock_of(key)), lambda: self._train(recipe, key, bench))

    def _mend(self, key: str, bench: TrainingContext) -> None:
        """Replace a Teacher's damaged logits, or give up its run; nothing where another process has done so."""
        from asc_experiments.distill.logit_repair import has_whole_logits, logits_again

        found = self.find(key)
        if found is None or has_whole_logits(found):
            return
        run = self.tracking.writer(found.record.run_id, self.experiment_id)
        table = logits_again(found, bench)
        if table is None:
            say(f"teacher {key} {found.name}: its logits and its network are damaged; trained again")
            run.end("FAILED", "its logits and its network are damaged")
        else:
            say(f"teacher {key} {found.name}: its logits were damaged; its network has said them again")
            run.tags({LOGITS_DIGEST: log_logits(run, table, seconds=bench.clip_seconds)})

    def once(self, key: str, name: str, lock: AbstractContextManager[object], make: Callable[[], None]) -> Teacher:
        """The Teacher with this key, made now if there is none; another process asking for it waits.

        Args:
            key: what identifies it.
            name: of the Teacher, for the message that it is there already.
            lock: of that key, as :func:`lock_of` names it.
            make: leaves it in the tracking server.
        """
        found = self.find(key)
        if found is not None:
            say(f"teacher {key} {name}: already in the bank")
            return found
        self.tracking.sweep()
        with lock:
            found = self.find(key)
            if found is None:
                make()
                found = self.find(key)
        assert found is not None
        return found

    def find(self, key: str) -> Teacher | None:
        """The finished Teacher with exactly this key, or None."""
        records = self.tracking.search([self.experiment_id], where({KEY: key}, status="FINISHED"), limit=1)
        return Teacher.from_record(records[0], self.tracking) if records else None

    def records(self, key: str) -> list[RunRecord]:
        """Every finished run of the Teacher with exactly this key: one, unless two machines trained it at once."""
        return self.tracking.search([self.experiment_id], where({KEY: key}, status="FINISHED"))

    def named(self, key: str, or_absent: bool = False) -> Teacher:
        """The finished Teacher whose key begins like this.

        Args:
            key: the beginning of one.
            or_absent: whether its architecture need not be installed.

        Raises:
            AscError: if there is none, or more than one.
        """
        if not key.isalnum():
            raise AscError(f"teacher '{key}'", "is no key", "`asc teacher list` shows them")
        records = self.tracking.search([self.experiment_id], where(begins={KEY: key}, status="FINISHED"))
        keys = {record.tags[KEY] for record in records}
        if len(keys) != 1:
            what = "does not exist" if not keys else f"is the beginning of {len(keys)} keys"
            raise AscError(f"teacher '{key}'", what, "`asc teacher list` shows them")
        return Teacher.from_record(records[0], self.tracking, or_absent)

    def all(self, or_absent: bool = False) -> list[Teacher]:
        """Every finished Teacher, oldest first, each key once.

        Args:
            or_absent: whether those are among them whose architecture is not installed.
        """
        records = finished_runs(self.tracking, self.experiment_id)
        return _each_once(records, lambda record: Teacher.from_record(record, self.tracking, or_absent))

    def _train(self, recipe: Recipe, key: str, bench: TrainingContext) -> None:
        from asc_experiments.distill.figures import bars_of, log_figures
        from asc_experiments.distill.train import train_network
        from asc_experiments.tracking.registry.network_store import log_network
        from asc_experiments.tracking.ui.table_view import page_view

        bench.weights_for(recipe)  # refuse before there is a run
        self._say_of_earlier(recipe, bench)
        responses = bench.responses_for(recipe)
        tags = {
            KEY: key,
            RECIPE: recipe.model_dump_json(),
            CORPUS: bench.store.corpus_digest,
            HELD_OUT: bench.split.model_dump_json(),
        } | ({RESPONSES: responses.digest} if responses else {})
        view = page_view("teacher", _COLUMNS, _tested(bench), OVERALL_ACCURACY)
        self.tracking.describe(self.experiment_id, _NOTE, view)
        name = name_on(recipe.name, bench.train_split.name if bench.train_split else None)
        with self.tracking.run(self.experiment_id, name, "teacher", tags, key=key) as run:
            trained = train_network(bench, recipe, run, f"teacher {name}", key)
            model_id = log_network(run, trained.network)
            digest = log_logits(run, LogitTable(bench.corpus.filenames, trained.logits), seconds=bench.clip_seconds)
            metrics = bench.scorecards(trained.logits)
            run.metrics(metrics, step=recipe.optimisation.epochs, model_id=model_id)
            log_evidence(run, bench.evidence([trained.logits]))
            log_figures(bench, run, f"teacher {name}", [trained.logits], bars_of(name, metrics))
            run.tags({LOGITS_DIGEST: digest, MODEL_ID: model_id})
        accuracy = 100 * metrics[OVERALL_ACCURACY]
        say(f"teacher {key} {name}: trained, accuracy {accuracy:.1f} % on the test fold")

    def _say_of_earlier(self, recipe: Recipe, bench: TrainingContext) -> None:
        """Say why a Recipe is trained of which an earlier version left a Teacher."""
        if bench.conditions(recipe).training_clips is not None:
            return  # there were no lists
        responses = bench.responses_for(recipe)
        digest = responses.digest if responses else None
        key = key_of_schema_1(recipe, bench.store.corpus_digest, bench.split, digest)
        if self.records(key):
            why = "an earlier version's, which does not say in which numbers it was trained"
            say(f"teacher {key} {recipe.name}: {why}; trained again (who gives that key learns from it as it is)")


def list_teachers(environment: Environment) -> list[TeacherRecord]:
    """What :meth:`TeacherBank.all` finds, those too whose architecture is not installed; quick where it can be.

    Neither MLflow nor PyTorch is imported where the tracking server is a database that answers.

    Raises:
        AscError: if the tracking server does not answer.
    """
    uri = environment.tracking_uri or default_tracking_uri(environment.workspace)
    records = finished_runs_in_database(uri, EXPERIMENT)
    if records is None:
        return [*TeacherBank(environment.tracking()).all(or_absent=True)]
    return _each_once(records, lambda record: TeacherRecord.read(record, or_absent=True))


def _each_once(records: Iterable[RunRecord], read: Callable[[RunRecord], T]) -> list[T]:
    """The Teachers of these runs, oldest first, each key once; one that cannot be read is told of."""
    first: dict[str, RunRecord] = {}
    for record in records:
        if KEY in record.tags:
            first.setdefault(record.tags[KEY], record)
    teachers = []
    for record in first.values():
        try:
            teachers.append(read(record))
        except AscError as error:
            say(error.line())
    return teachers


def check_learnable(teacher: Teacher, bench: TrainingContext) -> None:
    """Refuse a Teacher that was not trained on this corpus as it says it was.

    Raises:
        AscError: if it was trained on another one, or on another list of its clips; or by an earlier version with DIR,
            which augmented device a alone, where that is not the corpus's reference device.
    """
    where = f"teacher {teacher.key}"
    if teacher.record.tags[CORPUS] != bench.store.corpus_digest:
        heard, last = float(teacher.record.tags.get(CLIP_SECONDS, bench.clip_seconds)), bench.clip_seconds
        of = "" if heard == last else f", whose clips last {heard:g} s, and those of {bench.corpus.root} {last:g} s"
        raise AscError(where, f"was trained on another corpus{of}", "give --corpus that one, or other keys")
    ours = bench.train_split.digest if bench.train_split else None
    is_known = IMPORTED not in teacher.record.tags or teacher.train_split is not None  # else nobody said
    if is_known and teacher.training_clips != ours:
        was, now = teacher.train_split or "the whole fold", bench.train_split.name if bench.train_split else None
        what = f"was trained on {was}, not on {now or 'the whole fold'}"
        raise AscError(where, what, "give --train-split the list that it was trained on, or other keys")
    has_dir = teacher.recipe is not None and teacher.recipe.needs_impulse_responses
    if has_dir and teacher.is_of_earlier_version and bench.corpus.reference_device != _REFERENCE_OF_SCHEMA_1:
        what = f"is an earlier version's, whose DIR left clips of '{bench.corpus.reference_device}' as they were"
        raise AscError(where, what, "train it again")


def log_logits(run: Run, table: LogitTable, name: str = LOGITS, seconds: float | None = None) -> str:
    """Store a table of logits, with the length of its clips, as an artifact of a run; returns the file's digest."""
    with tempfile.TemporaryDirectory(prefix="asc-") as folder:
        path = Path(folder, Path(name).name)
        table.save(path, seconds)
        run.file(path, str(Path(name).parent))
        return digest_file(path)


def _tested(bench: TrainingContext) -> list[str]:
    """The devices of the test fold."""
    return sorted(set(bench.corpus.device_of[bench.corpus.test_rows].tolist()))
