"""Clips of two seconds along the whole path: import, check, teacher, student, register, predict, export."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile

STUDY = """\
name: long
trials: 1
seeds: 1
objective: {metric: accuracy/macro, split: test}
validation: {fraction: 0.4}
ensemble:
  size: 1
  common: {batch_size: 8, augment: none, epochs: 1}
  pool:
    - {arch: cp_resnet, base_channels: 8}
student: {base_channels: 8, epochs: 1, batch_size: 8, augment: none}
"""


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two scenes, three places of each, two devices, five seconds: two clips, and an end that is left out."""
    root, rng = tmp_path / "recordings", np.random.default_rng(0)
    for scene, hertz in (("bus", 200), ("park", 3_000)):
        (root / scene).mkdir(parents=True)
        for place in range(3):
            tone = 0.1 * np.sin(2 * np.pi * (hertz + 20 * place) * np.arange(5 * 44_100) / 44_100)
            for device in ("a", "phone"):
                sound = tone + 0.02 * rng.normal(size=len(tone))
                soundfile.write(root / scene / f"{scene}{place}_{device}.wav", sound, 44_100)
    return root


def test_clips_of_two_seconds_go_the_whole_path(
    asc: Callable, recordings: Path, workspace: Path, tmp_path: Path
) -> None:
    def run(*arguments: object, code: int = 0) -> dict:
        result = asc(*arguments, "--json")
        assert result.code == code, result.err
        return json.loads(result.out)

    corpus, where = tmp_path / "corpus", ("--workspace", workspace)
    names = ("--device-from", r"_(\w+)\.wav$", "--place-from", r"/(\w+?)_")
    told = run("corpus", "import", recordings, corpus, "--layout", "class-folders", "--clip", "2s", *names)
    assert (told["clips"], told["clip_seconds"], told["left_out"]) == (24, 2.0, {"ends shorter than a clip": 12})
    assert run("corpus", "check", corpus)["clip_seconds"] == 2.0

    on = ("--corpus", corpus, *where)
    tiny = ("--epochs", 1, "--augment", "none", "--set", "batch_size=8")
    sizes = {
        "cp_mobile": ("--set", "base_channels=8"),
        "passt": ("--set", "embed_dim=16", "--set", "depth=1", "--set", "num_heads=2"),
    }
    keys = [run("teacher", "train", "--arch", arch, *size, *tiny, *on)["key"] for arch, size in sizes.items()]
    run("student", "train", "--teachers", ",".join(keys), *sizes["cp_mobile"], *tiny, *on)

    (tmp_path / "long.yaml").write_text(STUDY)
    run("study", "run", tmp_path / "long.yaml", *on)
    gates = ("--allow-chance", "--max-macs", 10_000_000)
    registered = run("register", "long", *gates, *where)
    assert "MACs per clip of 2 s (ptflops)" in [gate["name"] for gate in registered["gates"]]
    card = asc("model", "card", registered["uri"], *where).out
    assert "It answers to 2 s of sound" in card

    wanted = ("predict", registered["uri"], recordings / "bus" / "bus0_a.wav", "--every", "2s", "--json", *where)
    windows = [json.loads(line) for line in asc(*wanted).out.splitlines()]
    assert [(each["begin"], each["end"]) for each in windows] == [(0.0, 2.0), (2.0, 4.0), (3.0, 5.0)]

    file = tmp_path / "student.onnx"
    exported = run("export", registered["uri"], "--frontend", "-o", file, *on)
    assert exported["seconds"] == 2.0
    assert exported["compared"]["difference"]["onnx_float"] < 1e-3
    shape = onnx.load(file).graph.input[0].type.tensor_type.shape.dim
    assert shape[1].dim_value == 64_000
    rows = run("report", "long", *where)["rows"]
    student = next(row for row in rows if row["kind"] == "student")
    assert student["macs"] == exported["complexity"]["macs"]

    submitted = asc("submit", registered["uri"], "--name", "A_B_task1", "-o", tmp_path / "package", *where)
    assert (submitted.code, "hears clips of 2 s, and the challenge's last 1 s" in submitted.err) == (2, True)
    assert not (tmp_path / "package").exists()
