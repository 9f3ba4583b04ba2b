"""A teacher, or logits, of clips of another length are refused; so are clips that published weights cannot take."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.importing import Order, import_corpus
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.bank import check_learnable
from asc_experiments.distill.external_teacher import import_logits, import_network
from asc_experiments.models import ARCHITECTURES, build_model
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.tracking.trials import CLIP_SECONDS

Open = Callable[..., TrainingContext]


@pytest.fixture(scope="session")
def halves(synth_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic corpus in clips of half a second; not to be changed."""
    folder = tmp_path_factory.mktemp("halves") / "corpus"
    import_corpus(Order(synth_corpus, folder, "tau", clip_seconds=0.5))
    return folder


def weights(folder: Path) -> Path:
    torch.save(build_model("cp_resnet", n_classes=10, base_channels=8).state_dict(), folder / "w.pt")
    return folder / "w.pt"


def logits_of(bench: TrainingContext, folder: Path, **arrays: object) -> Path:
    values = np.random.default_rng(0).normal(size=(len(bench.corpus.clips), len(bench.corpus.scenes)))
    names, scenes = np.array(bench.corpus.filenames), np.array(bench.corpus.scenes)
    np.savez(folder / "logits.npz", logits=values, filenames=names, scenes=scenes, **arrays)  # type: ignore[arg-type]
    return folder / "logits.npz"


def test_teacher_of_clips_of_another_length_teaches_no_student(open_bench: Open, halves: Path, tmp_path: Path) -> None:
    bench, whole = open_bench(corpus=halves), open_bench()
    teacher = import_network(bench, weights(tmp_path), "cp_resnet", "none", {})
    assert teacher.record.tags[CLIP_SECONDS] == "0.5"
    assert fetch_network(bench.tracking, f"models:/{teacher.model_id}").samples == 16_000
    check_learnable(teacher, bench)
    with pytest.raises(AscError, match=r"another corpus, whose clips last 0\.5 s, and those of \S+ 1 s"):
        check_learnable(teacher, whole)


def test_complexity_of_a_run_is_that_of_its_clips(open_bench: Open, halves: Path, tmp_path: Path) -> None:
    path = weights(tmp_path)
    of = [import_network(open_bench(corpus=each), path, "cp_resnet", "none", {}) for each in (halves, None)]
    assert of[0].metrics["complexity/parameters"] == of[1].metrics["complexity/parameters"]
    assert of[0].metrics["complexity/macs"] < 0.7 * of[1].metrics["complexity/macs"]


@pytest.mark.parametrize("name", ["seconds", "clip_seconds"])
def test_logits_that_say_another_length_than_the_corpus_are_refused(
    open_bench: Open, halves: Path, tmp_path: Path, name: str
) -> None:
    bench = open_bench(corpus=halves)
    with pytest.raises(AscError, match=r"holds logits of clips of 1 s, and those of \S+ last 0\.5 s"):
        import_logits(bench, logits_of(bench, tmp_path, **{name: 1.0}))
    assert TeacherBank(bench.tracking).all() == []
    import_logits(bench, logits_of(bench, tmp_path, **{name: 0.5}))


def test_logits_of_a_run_say_how_long_its_clips_are(open_bench: Open, halves: Path, tmp_path: Path) -> None:
    teacher = import_network(open_bench(corpus=halves), weights(tmp_path), "cp_resnet", "none", {})
    bench = open_bench()
    with (
        bench.tracking.artifacts(teacher.record.run_id, "logits/logits.npz") as path,
        pytest.raises(AscError, match=r"holds logits of clips of 0\.5 s"),
    ):
        import_logits(bench, path)


def test_published_weights_that_cannot_take_the_clips_are_one_line(
    open_bench: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = open_bench()
    monkeypatch.setattr(type(ARCHITECTURES["cp_resnet"]), "most_frames", 30)
    with pytest.raises(AscError, match=r"cp_resnet takes clips of at most 0\.703125 s, and those of"):
        import_network(bench, weights(tmp_path), "cp_resnet", "none", {})
