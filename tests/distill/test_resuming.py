"""Teachers and students whose training was interrupted continue after their last epoch."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.base.errors import NotFiniteError
from asc_experiments.distill import Ensemble, TeacherBank, TrainingContext, train_student
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.student import soft_targets, student_identity
from asc_experiments.distill.teacher import LOGITS
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.run import Stopped
from asc_experiments.tracking.trials import EPOCH_SECONDS, TRAINING_SECONDS
from asc_experiments.training import KL, Recipe, make_recipe

Open = Callable[..., TrainingContext]
Listener = Callable[[int, Mapping[str, float]], None]
CURVES = ("train/loss", "train/learning_rate", "validation/accuracy/overall")


@pytest.fixture
def bench(open_bench: Open, tmp_path: Path) -> TrainingContext:
    """A workbench whose checkpoints are its own."""
    return replace(open_bench(), cache=tmp_path / "cache")


def checkpoints(bench: TrainingContext) -> list[Path]:
    return list((bench.cache / "checkpoints").glob("*"))


def tiny_teacher(**settings: object) -> Recipe:
    return make_recipe("cp_mobile", **({"base_channels": 8, "epochs": 2, "batch_size": 64} | settings))


def tiny_student() -> Recipe:
    """Draws random numbers of both kinds, NumPy's and torch's."""
    return make_recipe("passt", "dirfms", epochs=3, batch_size=64, embed_dim=16, depth=1, num_heads=2, mixup_alpha=0.3)


def train(bench: TrainingContext, ensemble: Ensemble | None, listener: Listener | None = None) -> str:
    """Train the tiny student in a run of its own; its id."""
    with bench.tracking.run(bench.tracking.experiment("students"), "student", "student") as run:
        targets = soft_targets(bench, ensemble, KL(label_weight=0.3))
        train_student(bench, tiny_student(), run, targets, listener)
    return run.run_id


def interrupt(bench: TrainingContext, ensemble: Ensemble | None, after: int, error: BaseException) -> None:
    def stop(epoch: int, _: Mapping[str, float]) -> None:
        if epoch + 1 == after:
            raise error

    with pytest.raises(type(error)):
        train(bench, ensemble, stop)


def curves(bench: TrainingContext, run_id: str) -> dict[str, list[tuple[int, float]]]:
    history = bench.tracking.client.get_metric_history
    return {name: sorted((point.step, point.value) for point in history(run_id, name)) for name in CURVES}


def logits(bench: TrainingContext, run_id: str) -> np.ndarray:
    with bench.tracking.artifacts(run_id, LOGITS) as path:
        return LogitTable.load(path).values


def test_interrupted_distillation_ends_bit_identical_with_complete_curves(
    bench: TrainingContext, capsys: pytest.CaptureFixture[str]
) -> None:
    ensemble = Ensemble((TeacherBank(bench.tracking).get(tiny_teacher(), bench),))
    heard: list[list[tuple[int, Mapping[str, float]]]] = [[], []]
    whole = train(bench, ensemble, lambda *told: heard[0].append(told))
    interrupt(bench, ensemble, 1, KeyboardInterrupt())
    interrupt(bench, ensemble, 2, KeyboardInterrupt())
    capsys.readouterr()
    resumed = train(bench, ensemble, lambda *told: heard[1].append(told))
    assert f"student {tiny_student().name}: resumes after epoch 2 of 3\n" in capsys.readouterr().err
    np.testing.assert_array_equal(logits(bench, resumed), logits(bench, whole))
    assert heard[1] == heard[0]
    assert [epoch for epoch, _ in heard[1]] == [0, 1, 2]
    assert curves(bench, resumed) == curves(bench, whole)
    resumed_metrics, metrics = (dict(bench.tracking.get(run_id).metrics) for run_id in (resumed, whole))
    assert resumed_metrics.pop(TRAINING_SECONDS) > 0 < metrics.pop(TRAINING_SECONDS)
    assert resumed_metrics.pop(EPOCH_SECONDS) > 0 < metrics.pop(EPOCH_SECONDS)
    assert resumed_metrics == metrics
    assert checkpoints(bench) == []


def test_checkpoint_is_kept_until_the_run_has_finished(bench: TrainingContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results are lost after the last epoch: the next attempt trains nothing again."""
    bank = TeacherBank(bench.tracking)

    def broken(*_: object) -> str:
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr("asc_experiments.tracking.registry.network_store.log_network", broken)
        bank.get(tiny_teacher(), bench)
    assert [path.stem for path in checkpoints(bench)] == [bank.key(tiny_teacher(), bench)]
    with monkeypatch.context() as patch:
        patch.setattr("asc_experiments.training.loop.Trainer.train_epoch", broken)
        teacher = bank.get(tiny_teacher(), bench)
    assert sorted(step for step, _ in curves(bench, teacher.record.run_id)["train/loss"]) == [1, 2]
    assert checkpoints(bench) == []


@pytest.mark.parametrize(
    ("error", "kept"), [(Stopped("pruned"), 0), (NotFiniteError("loss", "is nan"), 0), (RuntimeError("a bug"), 1)]
)
def test_checkpoint_is_kept_only_where_somebody_goes_on(
    bench: TrainingContext, error: BaseException, kept: int
) -> None:
    interrupt(bench, None, 1, error)
    assert len(checkpoints(bench)) == kept


def test_two_at_once_train_the_same_without_disturbing_each_other(bench: TrainingContext) -> None:
    inner: list[str] = []

    def meanwhile(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == 1:
            inner.append(train(bench, None))
            assert len(checkpoints(bench)) == 1, "the one who finished first left the other's file alone"

    outer = train(bench, None, meanwhile)
    # In one process they share torch's random numbers, so that only the inner one's are undisturbed.
    assert curves(bench, inner[0]) == curves(bench, train(bench, None))
    assert bench.tracking.get(outer).status == "FINISHED"
    assert checkpoints(bench) == []


def test_identity_changes_with_what_matters_and_with_nothing_else(bench: TrainingContext) -> None:
    bank = TeacherBank(bench.tracking)
    teacher = bank.get(tiny_teacher(epochs=1), bench)

    def identity(rule: str = "mean_logits", recipe: Recipe | None = None, **settings: float) -> str:
        targets = soft_targets(bench, Ensemble((teacher,), rule), KL(**settings))
        return student_identity(bench, recipe or tiny_student(), targets)

    base = identity()
    assert identity() == base
    others = [
        identity(rule="mean_probabilities"),
        identity(recipe=tiny_teacher()),
        identity(temperature=3.0),
        identity(label_weight=0.5),
        student_identity(bench, tiny_student(), None),
    ]
    assert len({base, *others}) == 6


def test_killed_teacher_goes_on_and_ends_bit_identical(synth_corpus: Path, new_database: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "asc_experiments", "teacher", "train", "--arch", "cp_mobile"]
    command += ["--corpus", str(synth_corpus), "--augment", "dirfms", "--epochs", "4"]
    command += ["--set", "base_channels=8", "--set", "batch_size=64", "--set", "mixup_alpha=0.3"]
    recipe = tiny_teacher(augment="dirfms", epochs=4, mixup_alpha=0.3)

    for name in ("killed", "whole"):
        (tmp_path / name / "mlruns").mkdir(parents=True)
        shutil.copy(new_database, tmp_path / name / "mlruns")

    def start(name: str) -> subprocess.Popen[str]:
        variables = {"ASC_CACHE": str(tmp_path / name / "cache"), "OMP_NUM_THREADS": "1"}
        where = ["--workspace", str(tmp_path / name)]
        return subprocess.Popen(
            [*command, *where], env=os.environ | variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    killed, whole = start("killed"), start("whole")
    deadline = time.monotonic() + 150
    while not list((tmp_path / "killed" / "cache" / "checkpoints").glob("*.ckpt")):
        assert killed.poll() is None, killed.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    said = start("killed").communicate()[1]
    assert f"teacher {recipe.name}: resumes after epoch " in said
    assert whole.communicate()[1].count("trained, accuracy") == 1
    found = {}
    for name in ("killed", "whole"):
        tracking = Tracking.open(tmp_path / name)
        (teacher,) = TeacherBank(tracking).all()
        weights = next((tmp_path / name).rglob("weights.safetensors")).read_bytes()
        found[name] = (teacher.key, teacher.logits.values.tobytes(), weights)
        assert not list((tmp_path / name / "cache" / "checkpoints").iterdir())
        statuses = [run.status for run in tracking.search([tracking.experiment("teachers")])]
        assert statuses == {"killed": ["KILLED", "FINISHED"], "whole": ["FINISHED"]}[name]
        steps = [point.step for point in tracking.client.get_metric_history(teacher.record.run_id, "train/loss")]
        assert sorted(steps) == list(range(1, 5))
    assert found["killed"] == found["whole"]
