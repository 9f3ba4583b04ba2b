"""What every training logs of the corpus."""

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from asc_experiments.corpus.splits import ValidationSplit
from asc_experiments.distill import TrainingContext
from asc_experiments.distill.train import log_corpus


def logged(bench: Any) -> dict[str, str]:
    """The tags of a run on a corpus."""
    tags: dict[str, str] = {}
    log_corpus(bench, SimpleNamespace(dataset=lambda *_: None, tags=tags.update))  # type: ignore[arg-type]
    return tags


@pytest.fixture
def bench(open_bench: Callable[..., TrainingContext]) -> TrainingContext:
    return open_bench(ValidationSplit(fraction=0.0))


def test_corpus_whose_folds_share_no_place_is_tagged_with_nothing_of_it(bench: TrainingContext) -> None:
    assert "asc.shared_places" not in logged(bench)


def test_test_clips_from_places_that_are_trained_on_are_logged_with_every_run(bench: TrainingContext) -> None:
    corpus = bench.corpus
    first, tested = corpus.clips[0], corpus.clips[corpus.n_train]
    moved = replace(first, place=tested.place, scene=tested.scene)
    leaky = replace(bench, corpus=replace(corpus, clips=(moved, *corpus.clips[1:])))
    shared = json.loads(logged(leaky)["asc.shared_places"])
    assert shared["places"] == 1
    assert shared["clips"] == sum(clip.location == tested.location for clip in corpus.clips[corpus.n_train :])
    assert shared["of"] == len(corpus.test_rows)
