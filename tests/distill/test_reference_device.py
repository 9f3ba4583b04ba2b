"""DIR augments the clips of whichever device is the corpus's reference; where it cannot act it is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.index import REFERENCE_FILE
from asc_experiments.corpus.readers.tau import META
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.training import Recipe, make_recipe
from tests.distill.segments import put_in_segments

Open = Callable[..., TrainingContext]


def with_dir(**settings: object) -> Recipe:
    recipe = {"base_channels": 8, "epochs": 1, "batch_size": 64, "roll": 0, "dir_probability": 1.0}
    return make_recipe("cp_mobile", "dir", **(recipe | settings))


def rename(corpus: Path, old: str, new: str) -> None:
    text = (corpus / META).read_text()
    (corpus / META).write_text(text.replace(f"\t{old}\n", f"\t{new}\n"))


def changed_devices(bench: TrainingContext) -> set[str]:
    """The devices whose training clips come out of the augmentation of waveforms as others."""
    trainer, rows = bench.trainer(with_dir()), bench.rows[0]
    clips = bench.clips.waveforms(rows)
    batch = trainer.augmenter.batch(rows, bench.clips.is_reference[rows], 15_500.0)
    batch.waveforms = clips
    trainer.augmenter.apply("waveforms", batch)
    augmented = batch.waveforms
    return set(bench.corpus.device_of[rows[np.flatnonzero((augmented != clips).any(dim=1).numpy())]].tolist())


def test_dir_augments_the_main_device_by_whatever_name(open_bench: Open, corpus_copy: Path) -> None:
    assert changed_devices(open_bench(corpus=corpus_copy)) == {"a"}
    rename(corpus_copy, "a", "phone")
    assert changed_devices(open_bench(corpus=corpus_copy)) == {"phone"}


def test_dir_augments_the_device_that_the_corpus_names(open_bench: Open, corpus_copy: Path) -> None:
    (corpus_copy / REFERENCE_FILE).write_text("s2")
    assert changed_devices(open_bench(corpus=corpus_copy)) == {"s2"}


def test_dir_without_a_clip_of_the_reference_device_is_refused_before_there_is_a_run(
    open_bench: Open, corpus_copy: Path
) -> None:
    bench = open_bench(ValidationSplit(fraction=0.3, hold_out_devices=("b",)), corpus_copy)
    assert changed_devices(bench) == {"a"}
    (corpus_copy / REFERENCE_FILE).write_text("b")
    bench = open_bench(ValidationSplit(fraction=0.3, hold_out_devices=("b",)), corpus_copy)
    with pytest.raises(AscError, match=r"reference device 'b' only, and none is trained on; do not hold 'b' out"):
        TeacherBank(bench.tracking).get(with_dir(), bench)
    assert bench.tracking.search([bench.tracking.experiment("teachers")]) == []
    assert bench.responses_for(make_recipe("cp_mobile", "fms")) is None


def test_study_of_dir_that_cannot_act_is_refused(study_file: Callable, corpus_copy: Path, asc: Callable) -> None:
    (corpus_copy / REFERENCE_FILE).write_text("s3")
    study = study_file(validation="{fraction: 0.3, hold_out_devices: [s3]}")
    for command in ("plan", "run"):
        done = asc("study", command, study, "--corpus", corpus_copy, "--workspace", corpus_copy.parent / "ws")
        assert done.code == 2
        assert "reference device 's3' only, and none is trained on" in done.err.splitlines()[-1]


def test_cropping_segments_where_no_two_clips_follow_each_other_is_refused(open_bench: Open, corpus_copy: Path) -> None:
    recipe = make_recipe("cp_mobile", segment_crop=0.5)
    with pytest.raises(AscError, match="segment_crop finds no two training clips that follow each other"):
        open_bench(corpus=corpus_copy).responses_for(recipe)
    assert open_bench(corpus=put_in_segments(corpus_copy)).responses_for(recipe) is None
