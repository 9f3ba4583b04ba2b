"""What was trained on a GPU is used on a processor: stored, predicted with, exported, it says the same."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from asc_experiments.corpus import Corpus, prepare
from asc_experiments.distill.logits import LogitTable
from asc_experiments.distill.teacher import LOGITS
from asc_experiments.edge.running import OnnxNetwork
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.training import ClipSource
from asc_experiments.training.loop import predict_logits

TOLERANCE = {"float32": 1e-3, "auto": 5e-2}
"""Of logits, as a part of the largest: a GPU computes them in bfloat16 unless it is told not to."""


@pytest.mark.parametrize("numbers", sorted(TOLERANCE))
def test_network_says_on_a_processor_what_it_said_where_it_was_trained(
    device: torch.device, numbers: str, asc: Callable, synth_corpus: Path, workspace: Path, cache: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("ASC_PRECISION", numbers)
    where = ("--workspace", workspace)
    tiny = ("--set", "base_channels=8", "--epochs", 2, "--augment", "none")
    trained = asc("student", "train", "--corpus", synth_corpus, *tiny, "--json", *where)
    assert trained.code == 0, trained.err
    tracking = Tracking.open(workspace)
    record = tracking.get(json.loads(trained.out)["run_id"])
    assert record.tags["asc.machine"].startswith("GPU: " if device.type == "cuda" else "CPU: ")
    corpus, model = Corpus.open(synth_corpus), f"models:/{record.tags['asc.model_id']}"
    with tracking.artifacts(record.run_id, LOGITS) as path:
        said = LogitTable.load(path).of(corpus.filenames, "the student")

    network = fetch_network(tracking, model)
    source = ClipSource(prepare(corpus, cache).waveforms, corpus.labels, corpus.device_of == "a", torch.device("cpu"))
    rows = np.arange(len(corpus.clips))
    allowed = TOLERANCE[numbers] * float(np.abs(said).max())
    np.testing.assert_allclose(predict_logits(network, source, rows), said, rtol=0, atol=allowed)

    few = rows[::25]
    exported = asc("export", model, "--frontend", "-o", tmp_path / "student.onnx", *where)
    assert exported.code == 0, exported.err
    onnx_logits = OnnxNetwork(onnx.load(tmp_path / "student.onnx")).logits(source.waveforms(few).numpy())
    np.testing.assert_allclose(onnx_logits, said[few], rtol=0, atol=allowed + 1e-3)

    files = [synth_corpus / corpus.filenames[row] for row in few]
    lines = asc("predict", model, *files, "--json", *where).out.splitlines()
    for line, logits in zip(lines, said[few], strict=True):
        distribution, expected = json.loads(line)["distribution"], np.exp(logits - logits.max())
        found = [distribution[scene] for scene in corpus.scenes]
        np.testing.assert_allclose(found, expected / expected.sum(), rtol=0, atol=2 * TOLERANCE[numbers] + 1e-3)
