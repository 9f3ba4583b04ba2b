"""Teachers and students that were not trained here: published weights, and logits that came without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_bytes
from asc_experiments.base.progress import progress, say
from asc_experiments.distill.bank import TeacherBank, log_logits
from asc_experiments.distill.figures import bars_of, log_figures
from asc_experiments.distill.keys import Conditions, teacher_key
from asc_experiments.distill.known_students import find_student, student_lock
from asc_experiments.distill.logit_files import as_logits, logits_of_table, match, read_logit_file, with_clips
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.standalone_student import EXPERIMENT, scorecards_of
from asc_experiments.distill.teacher import KEY, LOGITS_DIGEST, Teacher, lock_of
from asc_experiments.distill.train import log_corpus, log_setting, train_split_params, train_split_tags
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.tracking import Run
from asc_experiments.tracking.evidence import log_evidence
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.tracking.trials import CORPUS, HELD_OUT, IDENTITY, IMPORTED, MODEL_ID, RECIPE, SEED
from asc_experiments.training import Recipe, SceneNetwork, make_recipe
from asc_experiments.training.loop import predict_logits
from asc_experiments.training.weights import infer_size, load_weights, read_state_dict, weights_digest

_CLIPS_AT_A_TIME = 256


@dataclass(frozen=True)
class Published:
    """A network of a file of another program.

    Attributes:
        network: with its weights.
        digest: of its weights, the same however they were stored.
        origin: the file's name, and the recording device where it holds a network for each.
        name: for people.
    """

    network: SceneNetwork
    digest: str
    origin: str
    name: str

    @classmethod
    def read(
        cls,
        bench: TrainingContext,
        path: Path,
        arch: str,
        augment: str,
        settings: Mapping[str, Any],
        name: str = "",
        device: str = "",
    ) -> Self:
        """Read a state dict; see :func:`import_network`.

        Raises:
            AscError: if the file cannot be read, holds no such network, or a tensor does not fit; or the network cannot
                take the corpus's clips.
        """
        weights = read_state_dict(path, device)
        sizes = infer_size(arch, weights, settings, path)
        recipe = make_recipe(arch, augment, **(sizes | dict(settings)))
        bench.check_length(recipe)
        network = SceneNetwork(recipe, bench.corpus.scenes, bench.clip_samples)
        load_weights(network, weights, path)
        origin = path.name + (f", device {device}" if device else "")
        name = name or "-".join(filter(None, (path.stem, device)))
        return cls(network, weights_digest(network), origin, name)

    @property
    def recipe(self) -> Recipe:
        """How it is believed to have been trained."""
        return self.network.recipe

    def key(self, bench: TrainingContext) -> str:
        """What identifies it on a corpus."""
        conditions = conditions_of_imported(bench)
        return teacher_key(self.recipe, bench.store.corpus_digest, bench.split, conditions, weights=self.digest)

    def logits(self, bench: TrainingContext, path: Path) -> np.ndarray:
        """Its logits on every clip of the fold; ``(clips, scenes)`` float32.

        Raises:
            AscError: if they are not finite.
        """
        logits = _evaluate(bench, self.network, path.name)
        if not np.isfinite(logits).all():
            raise AscError(path, "gives logits that are not finite", "give weights of a whole training")
        return logits


def import_network(
    bench: TrainingContext,
    path: Path,
    arch: str,
    augment: str,
    settings: Mapping[str, Any],
    name: str = "",
    device: str = "",
) -> Teacher:
    """Make a Teacher of a state dict, evaluated on every clip of the fold; the same weights are imported once.

    Args:
        bench: corpus, split and tracking server.
        path: a PyTorch or safetensors file.
        arch: the architecture.
        augment: how it is believed to have been trained, as the Recipe says it.
        settings: more of the Recipe; sizes that are not given are read from the tensors.
        name: shown to people; the file's by default, with the device.
        device: of a file of several networks, that of this recording device; the general one where it is empty.

    Raises:
        AscError: if the file cannot be read, holds no such network, or a tensor does not fit.
    """
    published = Published.read(bench, path, arch, augment, settings, name, device)
    key = published.key(bench)

    def store() -> None:
        logits = published.logits(bench, path)
        tags = _tags(bench, key, published.digest, published.origin) | {RECIPE: published.recipe.model_dump_json()}
        with bench.tracking.run(bank.experiment_id, published.name, "teacher", tags) as run:
            log_setting(bench, run, published.recipe)
            model_id = log_network(run, published.network)
            run.tags({MODEL_ID: model_id})
            _log_logits(bench, run, published.name, LogitTable(bench.corpus.filenames, logits), model_id)

    bank = TeacherBank(bench.tracking)
    teacher = bank.once(key, published.name, bench.lock(lock_of(key)), store)
    _say_if_from_elsewhere(path, teacher.source, published.origin)
    return teacher


def import_student(
    bench: TrainingContext,
    path: Path,
    arch: str,
    augment: str,
    settings: Mapping[str, Any],
    name: str = "",
    device: str = "",
) -> tuple[str, dict[str, float]]:
    """Put a network of a state dict beside the single students; the same weights are imported once.

    Args:
        bench: corpus, split and tracking server.
        path: a PyTorch or safetensors file.
        arch: the architecture.
        augment: how it is believed to have been trained.
        settings: more of the Recipe.
        name: shown to people.
        device: of a file of several networks, whose; the general one where it is empty.

    Returns:
        The run's id and the metrics of its Scorecards.

    Raises:
        AscError: as :func:`import_network`.
    """
    published = Published.read(bench, path, arch, augment, settings, name, device)
    key = published.key(bench)
    tags = {IDENTITY: key, SEED: str(published.recipe.seed)} | _tags(bench, "", published.digest, published.origin)
    tags |= {RECIPE: published.recipe.model_dump_json()}
    experiment = bench.tracking.experiment(EXPERIMENT)
    with bench.lock(student_lock(key)):
        found = find_student(bench.tracking, key)
        if found is not None:
            say(f"student {published.name}: already there, as run {found.run_id}")
            _say_if_from_elsewhere(path, found.tags.get(IMPORTED, "").partition(" ")[2], published.origin)
            return found.run_id, scorecards_of(found)
        logits = published.logits(bench, path)
        with bench.tracking.run(experiment, published.name, "student", tags) as run:
            log_setting(bench, run, published.recipe)
            model_id = log_network(run, published.network)
            run.tags({MODEL_ID: model_id})
            log_evidence(run, bench.evidence([logits]))
            table = LogitTable(bench.corpus.filenames, logits)
            return run.run_id, _log_logits(bench, run, published.name, table, model_id, "student")


def _say_if_from_elsewhere(path: Path, source: str, origin: str) -> None:
    if source != origin:
        say(f"{path}: the same weights are there already, from {source}")


def import_logits(
    bench: TrainingContext,
    source: Path | pd.DataFrame,
    name: str = "",
    probabilities: bool = False,
    clips: Path | None = None,
) -> Teacher:
    """Make a Teacher of logits alone; the same logits are imported once.

    Args:
        bench: corpus, split, list of training clips and tracking server; the last two say what the model was trained
            on, which nobody else knows.
        source: a file as :func:`~asc_experiments.distill.logit_files.read_logit_file` takes it, or a table with a
            column per scene and the clips' names in ``filename`` or in the index.
        name: shown to people; the file's by default.
        probabilities: whether the numbers are probabilities, whose logarithm is taken.
        clips: a list of the rows' clip names, a line each, or a table with a column ``filename``, where the file
            itself names none.

    Raises:
        AscError: if the file cannot be read, or names or numbers do not fit the corpus; names what is wrong at once.

    Examples:
        >>> import_logits(bench, Path("beats.parquet"), name="BEATs")  # doctest: +SKIP
    """
    where: object = "the table"
    if isinstance(source, Path):
        where, name = source, name or source.stem
        named = read_logit_file(source)
    else:
        named = logits_of_table(source, where)
    if named.seconds not in (None, bench.clip_seconds):
        what = f"holds logits of clips of {named.seconds:g} s, and those of {bench.corpus.root} last"
        raise AscError(where, f"{what} {bench.clip_seconds:g} s", "give the --corpus that they are of")
    if clips is not None:
        named = with_clips(named, clips, where)
    named = as_logits(named, probabilities, where)
    table = match(named, bench.corpus, where, bench.held_out_clips)
    digest = digest_bytes(np.ascontiguousarray(table.values).tobytes())
    key = teacher_key(None, bench.store.corpus_digest, bench.split, conditions_of_imported(bench), weights=digest)
    _warn_of_order(bench, table, where)
    title = name or "imported"

    def store() -> None:
        tags = _tags(bench, key, digest, source.name if isinstance(source, Path) else title)
        with bench.tracking.run(bank.experiment_id, title, "teacher", tags) as run:
            log_corpus(bench, run)
            run.params(train_split_params(bench))
            _log_logits(bench, run, title, table)

    bank = TeacherBank(bench.tracking)
    return bank.once(key, title, bench.lock(lock_of(key)), store)


def conditions_of_imported(bench: TrainingContext) -> Conditions:
    """What is part of an imported Teacher's key besides what was imported: the list that it was trained on, if any."""
    return Conditions(training_clips=bench.train_split.digest if bench.train_split else None)


def _evaluate(bench: TrainingContext, network: SceneNetwork, title: str) -> np.ndarray:
    """A network's logits on every clip of the fold; ``(clips, scenes)`` float32."""
    network.to(bench.clips.device)
    rows = np.arange(len(bench.corpus.clips))
    pieces = []
    with progress(len(rows), f"evaluating {title}", "clips") as advance:
        for first in range(0, len(rows), _CLIPS_AT_A_TIME):
            pieces.append(predict_logits(network, bench.clips, rows[first : first + _CLIPS_AT_A_TIME]))
            advance(len(pieces[-1]))
    return np.concatenate(pieces)


def _tags(bench: TrainingContext, key: str, digest: str, origin: str) -> dict[str, str]:
    """The tags of an imported network or of logits; without a key those of no Teacher."""
    tags = train_split_tags(bench) | {
        IMPORTED: f"{digest} {origin}",
        CORPUS: bench.store.corpus_digest,
        HELD_OUT: bench.split.model_dump_json(),
    }
    return tags | ({KEY: key} if key else {})


def _log_logits(
    bench: TrainingContext, run: Run, name: str, table: LogitTable, model_id: str | None = None, kind: str = "teacher"
) -> dict[str, float]:
    """Log what a Teacher is asked for, and the Scorecards of the splits that it has logits for; their metrics."""
    digest = log_logits(run, table, seconds=bench.clip_seconds)
    logits = table.of(bench.corpus.filenames, "", set(bench.corpus.filenames))
    metrics = bench.scorecards(logits)
    run.metrics(metrics, model_id=model_id)
    log_figures(bench, run, f"{kind} {name}", [logits], bars_of(name, metrics))
    run.tags({LOGITS_DIGEST: digest})
    return metrics


def _warn_of_order(bench: TrainingContext, table: LogitTable, where: object) -> None:
    """Logits in another order fit in shape, and teach nonsense: at least say so."""
    rows = bench.rows[0]
    found = table.of([bench.corpus.filenames[row] for row in rows], str(where)).argmax(axis=1)
    accuracy = float((found == bench.corpus.labels[rows]).mean())
    say(f"{where}: accuracy {100 * accuracy:.1f} % on the training clips")
    if accuracy < 2 / len(bench.corpus.scenes):
        say(f"{where}: that is hardly better than chance; are its rows in the order of meta.csv, its columns sorted?")
