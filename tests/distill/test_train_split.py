"""Trainings on a list of clips: what they share with others, how they are told apart, what learns from what."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.tracking import Tracking
from asc_experiments.training import make_recipe

Open = Callable[..., TrainingContext]
SPLIT = ValidationSplit(fraction=0.15)
LISTS = ("split5.csv", "split25.csv", "split100.csv")


@pytest.fixture
def bench(open_bench: Open) -> TrainingContext:
    return open_bench(SPLIT, train_splits=LISTS)


def test_listed_clips_alone_are_trained_on_and_the_same_ones_validated(bench: TrainingContext) -> None:
    training, validation = bench.rows
    for name in ("split5", "split25"):
        listed = bench.on(name)
        assert set(listed.rows[0]) < set(training)
        np.testing.assert_array_equal(listed.rows[1], validation)
    assert set(bench.on("split5").rows[0]) < set(bench.on("split25").rows[0])
    np.testing.assert_array_equal(bench.on("split100").rows[0], training)


def test_devices_are_in_the_same_groups_whatever_is_listed(bench: TrainingContext) -> None:
    listed = bench.on("split5")
    heard = set(bench.corpus.device_of[listed.rows[0]].tolist())
    assert heard < set(bench.corpus.device_of[bench.rows[0]].tolist()), "the list lacks devices of the fold"
    assert listed.device_groups == bench.device_groups
    assert listed.validation_groups == bench.validation_groups


def test_lists_share_the_waveforms_and_the_clips_of_one_corpus(bench: TrainingContext) -> None:
    listed = bench.on("split5")
    assert listed.store is bench.store
    assert listed.clips is bench.on("split25").clips is bench.clips
    assert bench.on("split5") is listed
    assert listed.on("none") is bench


def test_another_process_trains_on_the_same_clips(bench: TrainingContext) -> None:
    copies = [pickle.loads(pickle.dumps(bench.on(name))) for name in ("split5", "split25")]
    for name, copy in zip(("split5", "split25"), copies, strict=True):
        np.testing.assert_array_equal(copy.rows[0], bench.on(name).rows[0])
    assert copies[0].clips is copies[1].clips, "one corpus in memory, whatever number of lists"


def test_list_is_part_of_a_key_unless_it_is_the_whole_fold(bench: TrainingContext) -> None:
    recipe, bank = make_recipe("cp_mobile"), TeacherBank(bench.tracking)
    whole, *listed = [bank.key(recipe, bench.on(name)) for name in ("none", "split5", "split25", "split100")]
    assert listed[2] == whole
    assert len({whole, *listed}) == 3


def test_list_without_a_scene_is_refused_before_anything_is_decoded(
    open_bench: Open, synth_corpus: Path, tmp_path: Path
) -> None:
    rows = (synth_corpus / "evaluation_setup" / "split100.csv").read_text().splitlines(True)
    (tmp_path / "no_tram.csv").write_text("".join(row for row in rows if not row.endswith("\ttram\n")))
    bench = open_bench(SPLIT, train_splits=[tmp_path / "no_tram.csv"])
    with pytest.raises(AscError, match="no_tram: scene 'tram' would have no training clip"):
        bench.on("no_tram")


def test_unknown_list_is_named_with_the_nearest(bench: TrainingContext) -> None:
    with pytest.raises(AscError, match="did you mean 'split25'"):
        bench.on("split255")


def test_teachers_and_students_of_one_list_go_together(
    asc: Callable, synth_corpus: Path, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "renamed.csv").write_bytes((synth_corpus / "evaluation_setup" / "split25.csv").read_bytes())
    options = ("--corpus", synth_corpus, "--epochs", 1, "--workspace", workspace, "--set", "base_channels=8")
    teach = ("teacher", "train", "--arch", "cp_mobile", *options, "--json")
    made = asc(*teach, "--train-split", "split25.csv")
    assert made.code == 0, made.err
    teacher = json.loads(made.out)
    assert teacher["name"] == "cp_mobile-8-none-s0@split25"
    assert json.loads(asc(*teach, "--train-split", tmp_path / "renamed.csv").out)["key"] == teacher["key"]
    assert json.loads(asc(*teach).out)["key"] != teacher["key"]
    run = Tracking.open(workspace).get(teacher["run_id"])
    assert (run.params["train_split"], run.params["training_clips"]) == ("split25", "30")

    learn = ("student", "train", *options, "--teachers", teacher["key"], "--json")
    for given, said in ((), "on split25, not on the whole fold"), (("--train-split", "split5.csv"), "not on split5"):
        refused = asc(*learn, *given)
        assert refused.code == 2
        assert said in refused.err.splitlines()[-1]
    taught = asc(*learn, "--train-split", "split25.csv")
    assert taught.code == 0, taught.err

    exported = asc("teacher", "export", teacher["key"], "-o", tmp_path / "teacher", "--workspace", workspace)
    assert exported.code == 0, exported.err
    other = tmp_path / "other"
    assert asc("teacher", "import", tmp_path / "teacher", "--workspace", other).code == 0
    shown = json.loads(asc("teacher", "show", teacher["key"], "--workspace", other, "--json").out)
    assert (shown["name"], shown["train_split"]) == (teacher["name"], "split25")


def test_check_tells_what_a_list_holds_and_what_is_wrong_with_it(
    asc: Callable, synth_corpus: Path, tmp_path: Path
) -> None:
    facts = json.loads(asc("corpus", "check", synth_corpus, "--train-split", "split5.csv", "--json").out)
    assert (facts["listed_clips"], facts["listed_per_scene"]["tram"], facts["problems"]) == (20, 2, [])
    (tmp_path / "mine.csv").write_text("filename\tscene_label\naudio/x.wav\ttram\n")
    result = asc("corpus", "check", synth_corpus, "--train-split", tmp_path / "mine.csv")
    assert result.code == 2
    assert "all its 1 clips are not in the training fold" in result.err
