"""What a Ray worker takes from its driver, and says where it computes otherwise. (Nothing here needs Ray.)"""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus.index import REFERENCE_FILE
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.study.executors.ray.worker import BenchAddress, _with_bench
from asc_experiments.training import make_recipe, precision

Open = Callable[..., TrainingContext]


def sent(bench: TrainingContext) -> BenchAddress:
    """A TrainingContext's address as it arrives on a node."""
    address = pickle.loads(pickle.dumps(BenchAddress.of(bench)))
    assert isinstance(address, BenchAddress)
    return address


def test_worker_computes_in_the_numbers_that_its_driver_was_told_to(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node of a cluster has an environment of its own."""
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: True)
    bench = open_bench()
    monkeypatch.setenv("ASC_PRECISION", "float32")
    address, recipe = sent(bench), make_recipe("cp_mobile")
    key = TeacherBank(bench.tracking).key(recipe, bench)
    monkeypatch.delenv("ASC_PRECISION")
    here = _with_bench(address, ())
    assert os.environ["ASC_PRECISION"] == "float32"
    assert here.number_format == "float32"
    assert TeacherBank(here.tracking).key(recipe, here) == key


def test_worker_that_computes_in_other_numbers_says_so_once_and_gives_keys_of_its_own(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, recipe = open_bench(), make_recipe("cp_mobile")
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: True)
    address, key = sent(bench), TeacherBank(bench.tracking).key(recipe, bench)
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: False)
    monkeypatch.setenv("ASC_PRECISION", "auto")  # so that it is put back after the test
    for _ in range(2):
        here = _with_bench(address, ())
    assert TeacherBank(here.tracking).key(recipe, here) != key
    lines = [line for line in capsys.readouterr().err.splitlines() if "its driver in" in line]
    assert len(lines) == 1
    assert ": trains in float32, its driver in bfloat16: networks get keys of their own" in lines[0]


def test_node_whose_corpus_names_another_reference_device_is_refused(
    open_bench: Open, corpus_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASC_PRECISION", "auto")
    address = sent(open_bench(corpus=corpus_copy))
    (corpus_copy / REFERENCE_FILE).write_text("b")
    with pytest.raises(AscError, match="is another corpus on"):
        _with_bench(address, ())


def test_worker_trains_on_the_list_of_clips_that_its_driver_names(
    open_bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list's file need not lie on its node."""
    monkeypatch.setenv("ASC_PRECISION", "auto")
    bench = open_bench(train_splits=["split25.csv"])
    here, whole = (_with_bench(sent(each), ()) for each in (bench.on("split25"), bench))
    assert here.rows[0].tolist() == bench.on("split25").rows[0].tolist() != whole.rows[0].tolist()
    assert here.clips is whole.clips
