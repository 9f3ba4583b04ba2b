"""Students outside of studies: what is logged, and what is refused."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.standalone_student import train_single_student
from asc_experiments.training import Recipe, make_recipe
from tests.distill.segments import put_in_segments

Open = Callable[..., TrainingContext]


def tiny(augment: str = "none", **settings: object) -> Recipe:
    return make_recipe("cp_mobile", augment, **({"base_channels": 8, "epochs": 2, "batch_size": 64} | settings))


def test_distilled_student_logs_teachers_ensemble_and_itself(open_bench: Open) -> None:
    bench = open_bench()
    tracking = bench.tracking
    bank = TeacherBank(tracking)
    teachers = [bank.get(tiny(seed=seed), bench) for seed in (0, 1)]
    keys = [teacher.key for teacher in teachers]
    run_id, metrics = train_single_student(open_bench, tracking, tiny("dirfms"), keys, {"temperature": 3.0})
    record = tracking.get(run_id)
    assert record.status == "FINISHED"
    assert record.params["temperature"] == "3.0"
    assert record.params["ensemble_size"] == "2"
    assert record.metrics["accuracy/device/s5"] == metrics["accuracy/device/s5"]
    assert "ensemble/accuracy/device/s5" in record.metrics
    inputs = tracking.client.get_run(run_id).inputs
    assert {model.model_id for model in inputs.model_inputs} == {teacher.model_id for teacher in teachers}
    assert inputs.dataset_inputs[0].dataset.digest == bench.store.corpus_digest
    with tracking.artifacts(run_id, "teachers.json") as path:
        table = json.loads(path.read_text())
    assert table["columns"][:2] == ["key", "teacher"]
    assert [row[1] for row in table["data"]] == [*(teacher.name for teacher in teachers), "ensemble"]
    for name in ("logits/logits.npz", "ensemble/logits.npz"):
        with tracking.artifacts(run_id, name) as path:
            assert path.stat().st_size > 1_000


def test_curves_have_a_point_per_epoch(open_bench: Open) -> None:
    tracking = open_bench().tracking
    run_id, _ = train_single_student(open_bench, tracking, tiny(), [], {}, fraction=0.3)
    for name in ("train/loss", "train/learning_rate", "validation/accuracy/macro"):
        steps = [point.step for point in tracking.client.get_metric_history(run_id, name)]
        assert sorted(set(steps)) == [1, 2], name


def test_same_seed_gives_the_same_student(open_bench: Open) -> None:
    tracking = open_bench().tracking
    results = []
    for _ in range(2):
        run_id, metrics = train_single_student(open_bench, tracking, tiny("dirfms"), [], {})
        results.append(metrics)
        tracking.delete(run_id)  # else it is found
    assert results[0] == results[1]


def test_same_student_is_trained_once_and_found_again(open_bench: Open, capsys: pytest.CaptureFixture[str]) -> None:
    tracking = open_bench().tracking
    first, again = (train_single_student(open_bench, tracking, tiny(), [], {}) for _ in range(2))
    assert first == again
    assert f"student cp_mobile-8-none-s0: already trained, in run {first[0]}" in capsys.readouterr().err
    assert train_single_student(open_bench, tracking, tiny(seed=1), [], {})[0] != first[0]
    assert len(tracking.search([tracking.experiment("students")])) == 2


def test_student_whose_logits_are_damaged_is_trained_again(open_bench: Open) -> None:
    tracking = open_bench().tracking
    first, metrics = train_single_student(open_bench, tracking, tiny(), [], {})
    tracking.writer(first, tracking.get(first).experiment_id).content(b"no logits", "logits/logits.npz")
    again, same = train_single_student(open_bench, tracking, tiny(), [], {})
    assert again != first
    assert same == metrics


def test_teachers_that_held_out_other_clips_are_refused(open_bench: Open) -> None:
    bench = open_bench()
    other = open_bench(ValidationSplit(fraction=0.2))
    bank = TeacherBank(bench.tracking)
    keys = [bank.get(tiny(), bench).key, bank.get(tiny(), other).key]
    with pytest.raises(AscError, match="held out other clips"):
        train_single_student(open_bench, bench.tracking, tiny(), keys, {})
    assert not bench.tracking.has_experiment("students")


def test_teachers_of_another_corpus_with_the_same_clip_names_are_refused(open_bench: Open, tmp_path: Path) -> None:
    bench = open_bench()
    key = TeacherBank(bench.tracking).get(tiny(), bench).key
    synthesise(tmp_path / "other", 20, seed=1)
    with pytest.raises(AscError, match="was trained on another corpus"):
        train_single_student(lambda split: open_bench(split, tmp_path / "other"), bench.tracking, tiny(), [key], {})


def test_student_that_crops_segments_learns_from_labels_only(open_bench: Open, corpus_copy: Path) -> None:
    open_bench = partial(open_bench, corpus=put_in_segments(corpus_copy))
    bench = open_bench()
    key = TeacherBank(bench.tracking).get(tiny(epochs=1, segment_crop=0.5), bench).key
    with pytest.raises(AscError, match="segment_crop: needs labels only"):
        train_single_student(open_bench, bench.tracking, tiny(segment_crop=0.5), [key], {})
    assert not bench.tracking.has_experiment("students")
    train_single_student(open_bench, bench.tracking, tiny(segment_crop=0.5, epochs=1), [], {})


@pytest.mark.parametrize(
    ("keys", "distillation", "fraction", "message"),
    [
        ([], {"temperature": 3.0}, 0.0, "needs teachers"),
        (["KEY", "KEY"], {}, 0.0, "names a teacher twice"),
        (["KEY"], {}, 0.3, "what the teachers held out"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    open_bench: Open, keys: list[str], distillation: dict, fraction: float, message: str
) -> None:
    bench = open_bench()
    key = TeacherBank(bench.tracking).get(tiny(), bench).key
    with pytest.raises(AscError, match=message):
        train_single_student(
            open_bench, bench.tracking, tiny(), [key if k == "KEY" else k for k in keys], distillation, fraction
        )
