"""Submissions to DCASE 2024: the system outputs of an evaluation set, and the meta file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml

from asc_experiments.base.errors import AscError
from asc_experiments.submission import Author, EvaluationSet
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import log_network
from asc_experiments.training import SceneNetwork, make_recipe

SCENES = ("airport", "bus", "park")
DEVICES = ("a", "s1", "s9", "unknown")


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """A set of four recordings, in an order that is not that of their names."""
    root = tmp_path / "evaluation"
    (root / "audio").mkdir(parents=True)
    (root / "evaluation_setup").mkdir()
    names = [f"audio/{number}.wav" for number in (3, 0, 2, 1)]
    for number, name in enumerate(names):
        soundfile.write(root / name, np.random.default_rng(number).normal(0, 0.1, 44_100), 44_100)
    write_table(root, ["filename\tdevice_id", *(f"{n}\t{d}" for n, d in zip(names, DEVICES, strict=True))])
    return root


def write_table(root: Path, lines: list[str]) -> None:
    (root / "evaluation_setup" / "fold1_test.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def model(workspace: Path) -> Callable[[str], str]:
    def make(train_split: str) -> str:
        torch.manual_seed(len(train_split))
        recipe = make_recipe("cp_mobile_2024", base_channels=8)
        network = SceneNetwork(recipe, SCENES).eval()
        network.of_devices = {"a": SceneNetwork(recipe, SCENES).eval()}
        tracking = Tracking.open(workspace)
        tags = {"asc.train_split": train_split} if train_split else {}
        with tracking.run(tracking.experiment("students"), "one", "student", tags) as run:
            names = ("macro", "scene/airport", "scene/bus", "scene/park", "device/a", "device/s1")
            run.metrics({f"accuracy/{name}": 0.5 for name in names} | {f"loss/{name}": 1.25 for name in names[1:]})
            run.metrics({"loss/overall": 1.5})
            return f"models:/{log_network(run, network)}"

    return make


def test_table_answers_for_each_file_in_order_by_the_network_of_its_device(
    asc: Callable, evaluation: Path, model: Callable[[str], str], workspace: Path, tmp_path: Path
) -> None:
    uri = model("split25")
    made = asc("predict", uri, evaluation, "--format", "dcase", "-o", tmp_path / "output.csv", "--workspace", workspace)
    assert made.code == 0, made.err
    assert "4 files answered for, 1 by the networks of their devices" in made.out
    table = pd.read_csv(tmp_path / "output.csv", sep="\t")
    assert list(table.columns) == ["filename", "scene_label", *SCENES]
    assert table["filename"].tolist() == ["audio/3.wav", "audio/0.wav", "audio/2.wav", "audio/1.wav"]
    np.testing.assert_allclose(table[list(SCENES)].sum(axis=1), 1, atol=1e-4)
    assert (table[list(SCENES)].idxmax(axis=1) == table["scene_label"]).all()
    by_hand = asc("predict", uri, evaluation / "audio", "--format", "csv", "--workspace", workspace, "--device", "a")
    rows = [line.split(",") for line in by_hand.out.splitlines()[1:]]
    of_a = {Path(row[0]).name: [float(value) for value in row[3:]] for row in rows}
    same = [
        np.allclose(row[list(SCENES)].to_numpy(float), of_a[Path(row["filename"]).name], atol=2e-6)
        for _, row in table.iterrows()
    ]
    assert same == [True, False, False, False]


def test_set_without_devices_goes_to_the_general_network(
    asc: Callable, evaluation: Path, model: Callable[[str], str], workspace: Path, tmp_path: Path
) -> None:
    write_table(evaluation, ["filename", "audio/0.wav", "audio/1.wav"])
    result = asc(
        "predict", model(""), evaluation, "--format", "dcase", "-o", tmp_path / "o.csv", "--workspace", workspace
    )
    assert "2 files answered for, 0 by the networks" in result.out


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["filename\tdevice_id"], "lists no files"),
        (["name", "audio/0.wav"], "lists no files"),
        (["filename", "audio/0.wav", "audio/0.wav"], "lists audio/0.wav twice"),
        (["filename", "audio/7.wav", "audio/8.wav"], "lists audio/7.wav and 1 more, which is not there"),
    ],
)
def test_sets_that_cannot_be_answered_for_are_refused(evaluation: Path, lines: list[str], said: str) -> None:
    write_table(evaluation, lines)
    with pytest.raises(AscError) as caught:
        EvaluationSet.open(evaluation)
    assert said in caught.value.line()


def test_broken_recording_leaves_no_table_with_a_gap(
    asc: Callable, evaluation: Path, model: Callable[[str], str], workspace: Path, tmp_path: Path
) -> None:
    (evaluation / "audio" / "2.wav").write_bytes(b"no sound")
    result = asc(
        "predict", model(""), evaluation, "--format", "dcase", "-o", tmp_path / "o.csv", "--workspace", workspace
    )
    assert result.code == 2
    assert "audio/2.wav" in result.err.splitlines()[-1]
    assert not (tmp_path / "o.csv").exists()


def test_outputs_and_meta_hold_what_is_known_and_name_what_is_not(
    asc: Callable, evaluation: Path, model: Callable[[str], str], workspace: Path, tmp_path: Path
) -> None:
    common = ("--workspace", workspace, "--challenge", "dcase2024", "--name", "Lastname_INST_task1", "--index", 3)
    uris = [model("split25"), model("split5"), model("")]
    made = asc(
        "submit", *uris, *common, "--eval", evaluation, "-o", tmp_path / "out", "--author", "Last, First, a@b.org, Inst"
    )
    assert made.code == 0, made.err
    inner = tmp_path / "out" / "task1" / "Lastname_INST_task1_3"
    assert sorted(path.name for path in inner.iterdir()) == [
        "Lastname_INST_task1_3.meta.yaml", *(f"Lastname_INST_task1_3.output.split_{n}.csv" for n in (100, 25, 5)),
    ]  # fmt: skip
    meta = yaml.safe_load((inner / "Lastname_INST_task1_3.meta.yaml").read_text())
    assert meta["submission"]["authors"][0]["lastname"] == "Last"
    assert meta["submission"]["authors"][0]["corresponding"] is True
    assert list(meta["results"]["development_dataset"]) == ["split_5", "split_25", "split_100"]
    reached = meta["results"]["development_dataset"]["split_25"]
    assert reached["overall"] == {"accuracy": 50.0, "logloss": 1.5}
    assert reached["class_wise"]["bus"] == reached["device_wise"]["a"] == {"accuracy": 50.0, "logloss": 1.25}
    assert meta["system"]["complexity"]["total_model_size"] <= 128_000
    assert "to be written by you, in Lastname_INST_task1_3.meta.yaml: submission.abbreviation" in made.out
    assert "there is none for 10, 50 %" in made.out

    twice = asc("submit", uris[0], uris[0], *common, "--eval", evaluation, "-o", tmp_path / "two")
    assert (twice.code, "was trained on 25 % of the clips, as" in twice.err) == (2, True)
    other = asc("submit", model("mine"), *common, "--eval", evaluation, "-o", tmp_path / "two")
    assert (other.code, "the list 'mine'" in other.err) == (2, True)
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("text", ["", "Last, First", "Last, First, , Inst"])
def test_authors_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(AscError, match="is no author"):
        Author.parse(text)
