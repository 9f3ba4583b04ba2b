"""Students that know the recording device: a general student, fine-tuned once for each device that it was trained on.

In DCASE 2025's task 1 the device is known at test time (Schmid et al., "Low-Complexity Acoustic Scene Classification
with Device Information in the DCASE 2025 Challenge", arXiv 2505.01747, section 4): a clip of a device that was trained
on goes to that device's network, any other to the general one. Here the teachers stay on while a device's network is
trained.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from asc_experiments.augment.settings import in_order
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.hashing import digest_json
from asc_experiments.base.progress import progress, say
from asc_experiments.base.settings import Settings
from asc_experiments.distill.bank import log_logits
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.student import log_loss
from asc_experiments.distill.teacher import LOGITS, LOGITS_DIGEST
from asc_experiments.distill.train import log_conditions, log_setting, train_split_tags
from asc_experiments.distill.training_context import TrainingContext
from asc_experiments.metrics import ACCURACY, DEVICE, GAIN, GENERAL, MACRO_ACCURACY, OVERALL_ACCURACY
from asc_experiments.statistics import Evidence, Margin, paired
from asc_experiments.tracking import Run, RunRecord
from asc_experiments.tracking.client.run import Stopped
from asc_experiments.tracking.evidence import GENERAL_STUDENTS, log_evidence
from asc_experiments.tracking.registry.network_store import fetch_network, log_network
from asc_experiments.tracking.trials import (
    CORPUS,
    DEVICES,
    GENERAL_RUN,
    HELD_OUT,
    MODEL_ID,
    RECIPE,
    TRAINING_SECONDS,
)
from asc_experiments.training import EpochRecord, EpochReport, Recipe, SceneNetwork, SoftTargets, open_checkpoint
from asc_experiments.training.loop import predict_logits
from asc_experiments.training.recipe import make_recipe

KNOWN: Literal["known"] = "known"
_WARMUP, _LAST_FACTOR = 10, 0.01


class Specialisation(Settings):
    """How a general student is fine-tuned for devices.

    Attributes:
        devices: ``known``, every device of the clips that are trained on; or the names of some of them.
        epochs: of each device's network; 2025's baseline.
        learning_rate: the highest; 2025's baseline. It rises over the first tenth and falls linearly from there.
        batch_size: clips per step; the student's own by default.
        augment: ``none`` or ``fms``. DIR would make a device's clips those of another one; the student's other
            augmentations stay on.
    """

    devices: Literal["known"] | Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = KNOWN
    epochs: int = Field(50, ge=1, le=10_000)
    learning_rate: float = Field(5e-4, gt=0, le=1)
    batch_size: int | None = Field(None, ge=2, le=65_536)
    augment: Literal["none", "fms"] = "none"

    def recipe_for(self, student: Recipe) -> Recipe:
        """The Recipe that a device's network is fine-tuned by: the student's, with these settings."""
        label_switches = {kind.switch() for kind in in_order() if kind.label}
        settings = {name: value for name, value in student.flat().items() if name not in {*label_switches, "arch"}}
        settings |= {"epochs": self.epochs, "learning_rate": self.learning_rate, "last_factor": _LAST_FACTOR}
        settings |= {"batch_size": self.batch_size} if self.batch_size else {}
        warmup = self.epochs // _WARMUP
        schedule = {"warmup_epochs": warmup, "rampdown_start": warmup, "rampdown_epochs": max(1, self.epochs - warmup)}
        return make_recipe(student.arch, self.augment, origin="specialise", **settings | schedule)

    def devices_in(self, bench: TrainingContext) -> tuple[str, ...]:
        """The devices that get a network of their own, sorted.

        One that lacks training clips of a scene keeps the general network: it would forget that scene.

        Raises:
            AscError: if a device that is named is not trained on, or none is left.
        """
        wanted, absent = self._wanted(bench)
        kept = tuple(device for device in wanted if device not in absent)
        if not kept:
            raise AscError("specialise", "no device has training clips of every scene", "train on more clips")
        return kept

    def tell(self, bench: TrainingContext) -> None:
        """Say which of the devices keep the general network, and for want of which scene."""
        for device, scene in self._wanted(bench)[1].items():
            say(f"device {device}: keeps the general network, it has no training clip of {scene}")

    def _wanted(self, bench: TrainingContext) -> tuple[list[str], dict[str, str]]:
        """The devices that are meant, sorted; of those that lack training clips of a scene the first such scene."""
        corpus, rows = bench.corpus, bench.rows[0]
        trained = sorted(set(corpus.device_of[rows].tolist()))
        wanted = trained if self.devices == KNOWN else sorted(set(self.devices))
        absent = {}
        for device in wanted:
            if device not in trained:
                what = f"'{device}' is no device of the clips that are trained on"
                raise AscError("specialise.devices", what, nearest(device, trained))
            heard = set(corpus.labels[rows[corpus.device_of[rows] == device]].tolist())
            if missing := [scene for number, scene in enumerate(corpus.scenes) if number not in heard]:
                absent[device] = missing[0]
        return wanted, absent


def specialised_identity(bench: TrainingContext, student: str, specialisation: Specialisation) -> str:
    """What identifies a student with networks for devices.

    Args:
        bench: what it is trained on.
        student: the identity of the general student.
        specialisation: how it is fine-tuned, for which devices.
    """
    settings = specialisation.model_dump(mode="json", exclude_none=True)
    settings["devices"] = list(specialisation.devices_in(bench))
    return digest_json({"student": student, "specialise": settings})


def train_specialised(
    bench: TrainingContext,
    recipe: Recipe,
    run: Run,
    general: RunRecord,
    targets: SoftTargets | None,
    specialisation: Specialisation,
    identity: str,
) -> dict[str, float]:
    """Fine-tune a general student for devices, and log both's Scorecards, the gain and one model of all networks.

    A training that was killed resumes at the device and epoch where it was.

    Args:
        bench: corpus, split and tracking server.
        recipe: the general student's.
        run: where everything goes.
        general: the run that trained the general student.
        targets: of its teachers; None trains on labels alone, as the general student was.
        specialisation: how.
        identity: its :func:`specialised_identity`.

    Returns:
        The metrics of its Scorecards, and those of the general student under ``general/``.

    Raises:
        NotFiniteError: if a loss becomes infinite or not a number.
        AscError: if the general student's network or logits are gone.
    """
    specialisation.tell(bench)
    log_setting(bench, run, recipe)
    log_conditions(run, bench.conditions(recipe))
    if targets is not None:
        log_loss(run, targets.loss)
    run.params({f"specialise.{name}": value for name, value in specialisation.model_dump(mode="json").items()})
    network = fetch_network(bench.tracking, f"models:/{general.tags[MODEL_ID]}").to(bench.clips.device)
    with bench.tracking.artifacts(general.run_id, LOGITS) as path:
        before = LogitTable.load(path).of(bench.corpus.filenames, f"run {general.run_id}")
    logits, seconds = before.copy(), 0.0
    for device in specialisation.devices_in(bench):
        made, spent = _fine_tuned(bench, specialisation.recipe_for(recipe), run, network, targets, device, identity)
        network.of_devices[device], seconds = _as_part_of(network, made), seconds + spent
        rows = np.flatnonzero(bench.corpus.device_of == device)
        logits[rows] = predict_logits(made, bench.clips, rows)
    return _log(bench, recipe, run, general, network, before, logits, seconds)


def _fine_tuned(
    bench: TrainingContext,
    recipe: Recipe,
    run: Run,
    network: SceneNetwork,
    targets: SoftTargets | None,
    device: str,
    identity: str,
) -> tuple[SceneNetwork, float]:
    """A network of one device, and the seconds that its training took."""
    start: Mapping[str, Tensor] = {name: tensor.clone() for name, tensor in network.model.state_dict().items()}
    title = f"student {recipe.name_but_seed} for device {device}"
    about = {"recipe": recipe.model_dump(mode="json"), "corpus": bench.store.corpus_digest, "device": device}
    key = digest_json({"student": identity, "device": device})
    opened = open_checkpoint(bench.cache, key, about, title, given_up=(Stopped,))
    checkpoint = run.until_ended.enter_context(opened)  # until all devices' networks are logged
    make = partial(bench.trainer, recipe, targets, start)
    trainer, history = checkpoint.resume(make) if checkpoint else (make(), [])
    rows = bench.rows[0][bench.corpus.device_of[bench.rows[0]] == device]
    began = time.perf_counter()
    with progress(recipe.optimisation.epochs, title, "epochs", done=len(history)) as advance:

        def after_epoch(report: EpochReport) -> None:
            nonlocal began
            spent = time.perf_counter() - began
            began += spent
            curves = {f"train/{device}/loss": report.loss}
            history.append(EpochRecord(curves, {}, spent, int(1_000 * time.time())))
            if checkpoint:
                checkpoint.save(trainer, history)
            advance(note=f"loss {report.loss:.3f}")

        made = trainer.fit(rows, after_epoch)
    for epoch, record in enumerate(history):
        run.curve(record.curves, epoch + 1, record.ended_ms)
    return made, sum(record.seconds for record in history)


def _as_part_of(general: SceneNetwork, made: SceneNetwork) -> SceneNetwork:
    """A device's network under the general one's Recipe: how it was fine-tuned is the run's, not the network's."""
    made.recipe = general.recipe
    return made


def _log(
    bench: TrainingContext,
    recipe: Recipe,
    run: Run,
    general: RunRecord,
    network: SceneNetwork,
    before: np.ndarray,
    logits: np.ndarray,
    seconds: float,
) -> dict[str, float]:
    model_id = log_network(run, network)
    digest = log_logits(run, LogitTable(bench.corpus.filenames, logits))
    ours, theirs = bench.evidence([logits]), bench.evidence([before])
    log_evidence(run, ours)
    log_evidence(run, theirs, GENERAL_STUDENTS)
    metrics = bench.scorecards(logits)
    metrics |= {f"{GENERAL}/{name}": value for name, value in bench.scorecards(before).items()}
    metrics |= gain_metrics(ours, theirs)
    run.metrics(metrics, step=recipe.optimisation.epochs, model_id=model_id)
    run.metrics({TRAINING_SECONDS: round(seconds + general.metrics.get(TRAINING_SECONDS, 0.0), 3)})
    made = {MODEL_ID: model_id, LOGITS_DIGEST: digest, RECIPE: recipe.model_dump_json()}
    made |= {GENERAL_RUN: general.run_id, DEVICES: json.dumps(sorted(network.of_devices))}
    held_out = bench.split.normalised().model_dump_json()
    run.tags(made | {CORPUS: bench.store.corpus_digest, HELD_OUT: held_out} | train_split_tags(bench))
    return metrics


def gains(ours: Evidence, theirs: Evidence) -> dict[str, Margin]:
    """What networks for devices gain over the general students that they were made of, by metric.

    Args:
        ours: the answers of students with networks for devices, on the test fold.
        theirs: those of the general students, in the same order.
    """
    devices = [str(ACCURACY.of(DEVICE, device)) for device in ours.devices]
    return {metric: paired(ours, theirs, metric) for metric in (OVERALL_ACCURACY, MACRO_ACCURACY, *devices)}


def gain_metrics(ours: Mapping[str, Evidence], theirs: Mapping[str, Evidence]) -> dict[str, float]:
    """The gains on the test fold as they are logged: ``gain/accuracy/macro``, its ends ``gain/low/…``, ``gain/high/…``.

    Args:
        ours: answers by split, as for :func:`gains`.
        theirs: those of the general students.
    """
    if not {"test"} <= ours.keys() & theirs.keys():
        return {}
    metrics = {}
    for metric, found in gains(ours["test"], theirs["test"]).items():
        metrics[f"{GAIN}/{metric}"] = found.value
        if found.is_known and found.error:  # where every place does the same, an interval says nothing
            metrics |= {f"{GAIN}/low/{metric}": found.low, f"{GAIN}/high/{metric}": found.high}
    return metrics
