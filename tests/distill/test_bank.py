"""Every teacher is trained once, whoever asks for it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import Ensemble, TeacherBank, TrainingContext
from asc_experiments.distill.bank import list_teachers
from asc_experiments.distill.environment import Environment
from asc_experiments.distill.keys import Conditions, teacher_key
from asc_experiments.distill.teacher import KEY, LOGITS, Teacher, TeacherRecord, _read_logits
from asc_experiments.training import Recipe, make_recipe

Open = Callable[..., TrainingContext]


def tiny(**settings: object) -> Recipe:
    return make_recipe("cp_mobile", **({"base_channels": 8, "epochs": 1, "batch_size": 64} | settings))


def count_runs(bench: TrainingContext, query: str = "") -> int:
    return len(bench.tracking.search([bench.tracking.experiment("teachers")], query))


def test_asking_twice_trains_once(open_bench: Open) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    first = bank.get(tiny(), bench)
    again = TeacherBank(bench.tracking).get(tiny(), open_bench())
    assert first.record.run_id == again.record.run_id
    assert count_runs(bench) == 1


def test_teacher_has_logits_for_every_clip_and_scorecards(open_bench: Open) -> None:
    bench = open_bench()
    teacher = TeacherBank(bench.tracking).get(tiny(), bench)
    logits = teacher.logits.of(bench.corpus.filenames, "teacher")
    assert logits.shape == (len(bench.corpus.clips), 10)
    assert np.isfinite(logits).all()
    correct = logits.argmax(axis=1) == bench.corpus.labels
    assert teacher.metrics["accuracy/overall"] == pytest.approx(correct[bench.corpus.test_rows].mean())
    assert teacher.metrics["validation/accuracy/overall"] == pytest.approx(correct[bench.rows[1]].mean())
    assert {"accuracy/device/s4", "accuracy/group/unseen", "accuracy/scene/park"} <= teacher.metrics.keys()
    assert teacher.metrics["complexity/parameters"] == 13_942


def test_list_without_mlflow_is_the_bank_that_mlflow_knows(open_bench: Open, workspace: Path) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    first, deleted, last = (bank.get(tiny(seed=seed), bench) for seed in range(3))
    bench.tracking.delete(deleted.record.run_id)
    twice = bench.tracking.client.create_run(bank.experiment_id, tags=dict(first.record.tags))  # of a second machine
    bench.tracking.client.set_terminated(twice.info.run_id, "FINISHED")
    other = bench.tracking.client.create_run(bank.experiment_id, run_name="nobody's")
    bench.tracking.client.set_terminated(other.info.run_id, "FINISHED")

    known = [
        Teacher.from_record(run, bench.tracking)
        for run in bench.tracking.search([bank.experiment_id], "attributes.status = 'FINISHED'")
        if KEY in run.tags and run.run_id != twice.info.run_id
    ]
    assert [teacher.key for teacher in known] == [first.key, last.key]
    for listed in (list_teachers(Environment(workspace)), bank.all()):
        assert [facts_of(teacher) for teacher in listed] == [facts_of(teacher) for teacher in known]


def facts_of(teacher: TeacherRecord) -> tuple[object, ...]:
    return teacher.key, teacher.name, teacher.recipe, teacher.split, teacher.source, teacher.absent, teacher.record


def test_processes_wanting_one_teacher_train_it_once(open_bench: Open, synth_corpus: Path, workspace: Path) -> None:
    bench = open_bench()
    command = [sys.executable, "-m", "asc_experiments", "teacher", "train", "--arch", "cp_mobile"]
    command += ["--corpus", str(synth_corpus), "--workspace", str(workspace), "--epochs", "1"]
    command += ["--set", "base_channels=8", "--set", "batch_size=64"]
    racing = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate()[1] for process in racing]
    assert [process.returncode for process in racing] == [0, 0], errors
    assert count_runs(bench) == 1


def test_key_changes_with_what_matters_and_with_nothing_else() -> None:
    split = ValidationSplit(fraction=0.2)
    base = teacher_key(tiny(), "corpus", split)
    assert base == teacher_key(tiny(), "corpus", split)
    others = [
        teacher_key(tiny(seed=1), "corpus", split),
        teacher_key(tiny(learning_rate=0.5), "corpus", split),
        teacher_key(tiny(), "another corpus", split),
        teacher_key(tiny(), "corpus", ValidationSplit(fraction=0.3)),
        teacher_key(tiny(), "corpus", split, Conditions(impulse_responses="impulse responses")),
    ]
    assert len({base, *others}) == 6


def test_failed_training_is_no_teacher(open_bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)

    def broken(*_: object) -> str:
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr("asc_experiments.tracking.registry.network_store.log_network", broken)
        bank.get(tiny(), bench)
    assert count_runs(bench, "attributes.status = 'FAILED'") == 1
    assert bank.all() == []
    assert bank.get(tiny(), bench).key == bank.all()[0].key


def damage(path: Path) -> None:
    """Turn one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    _read_logits.cache_clear()  # as in the process that finds it so


def test_damaged_logits_are_noticed(open_bench: Open, workspace: Path) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    key = bank.get(tiny(), bench).key
    damage(next(workspace.rglob(LOGITS)))
    with pytest.raises(AscError, match="damaged"):
        _ = bank.named(key).logits


def test_damaged_logits_are_said_again_by_the_network_without_training(
    open_bench: Open, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    before = bank.get(tiny(), bench)
    values = before.logits.values
    damage(next(workspace.rglob(LOGITS)))
    monkeypatch.setattr("asc_experiments.training.loop.Trainer.train_epoch", None)
    after = bank.get(tiny(), bench)
    assert f"{before.key} {before.name}: its logits were damaged; its network has said them" in capsys.readouterr().err
    assert after.record.run_id == before.record.run_id
    np.testing.assert_array_equal(after.logits.values, values)


@pytest.mark.parametrize("how", ["a bit is turned", "it is gone"])
def test_teacher_whose_network_is_damaged_too_is_trained_again(
    open_bench: Open, workspace: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    before = bank.get(tiny(), bench)
    values = before.logits.values
    damage(next(workspace.rglob(LOGITS)))
    weights = next(workspace.rglob("weights.safetensors"))
    if how == "it is gone":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:-4_000] + bytes(4_000))
    after = bank.get(tiny(), bench)
    assert "its logits and its network are damaged; trained again" in capsys.readouterr().err
    np.testing.assert_array_equal(after.logits.values, values)
    assert count_runs(bench, "attributes.status = 'FAILED'") == 1
    assert [teacher.record.run_id for teacher in bank.all()] == [after.record.run_id]


def test_named_finds_by_the_beginning_of_a_key(open_bench: Open) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    teacher = bank.get(tiny(), bench)
    bank.get(tiny(seed=1), bench)
    assert bank.named(teacher.key[:8]).key == teacher.key
    for wrong in ("0000000000", "%", ""):
        with pytest.raises(AscError, match="asc teacher list"):
            bank.named(wrong)


def test_dir_without_impulse_responses_is_refused_before_there_is_a_run(open_bench: Open, corpus_copy: Path) -> None:
    for path in (corpus_copy / "dirs").iterdir():
        path.unlink()
    (corpus_copy / "dirs").rmdir()
    bench = open_bench(corpus=corpus_copy)
    with pytest.raises(AscError, match="--dirs"):
        TeacherBank(bench.tracking).get(make_recipe("cp_mobile", "dir", base_channels=8, epochs=1), bench)
    assert count_runs(bench) == 0


def test_students_learn_from_the_mean_of_their_teachers(open_bench: Open) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    teachers = tuple(bank.get(tiny(seed=seed), bench) for seed in (0, 1))
    mean = Ensemble(teachers).logits(bench.corpus.filenames)
    expected = (teachers[0].logits.values + teachers[1].logits.values) / 2
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_ensemble_with_a_missing_clip_raises(open_bench: Open) -> None:
    bench = open_bench()
    ensemble = Ensemble((TeacherBank(bench.tracking).get(tiny(), bench),))
    with pytest.raises(AscError, match=r"no logits for audio/new\.wav"):
        ensemble.logits([*bench.corpus.filenames, "audio/new.wav"])
