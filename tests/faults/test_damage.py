"""A wrong bit anywhere in the cache, as a worn disk leaves it: noticed, made again, and the same network comes out."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asc_experiments.distill import LogitTable, TrainingContext, train_student
from asc_experiments.distill.teacher import LOGITS
from asc_experiments.training import make_recipe

pytestmark = pytest.mark.timeout(3_600)
ROUNDS = [pytest.param(4, id="4 bits"), pytest.param(40, id="40 bits", marks=pytest.mark.nightly)]
EPOCHS = 2


def train(bench: TrainingContext, dies_after: int | None = None) -> np.ndarray | None:
    """Train a small student; its logits, or None where it died after that many epochs."""
    recipe = make_recipe("cp_mobile", epochs=EPOCHS, base_channels=8, batch_size=64)

    def die(epoch: int, _: object) -> None:
        if epoch + 1 == dies_after:
            raise MemoryError

    try:
        with bench.tracking.run(bench.tracking.experiment("students"), "student", "student") as run:
            train_student(bench, recipe, run, on_validation=die)
    except MemoryError:
        return None
    with bench.tracking.artifacts(run.run_id, LOGITS) as path:
        return LogitTable.load(path).values


def turn_a_bit(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("bits", ROUNDS)
def test_whichever_bit_of_the_cache_is_wrong_the_training_goes_on_and_ends_the_same(
    open_bench: Callable[..., TrainingContext], tmp_path: Path, capsys: pytest.CaptureFixture[str], bits: int
) -> None:
    cache, chance = tmp_path / "own", random.Random(bits)

    def opened() -> TrainingContext:
        bench = open_bench()
        return TrainingContext.open(bench.corpus.root, bench.tracking, cache, bench.split)

    expected = train(opened())
    for each in range(bits):
        assert train(opened(), dies_after=1) is None
        files = sorted(path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")
        (checkpoint,) = [path for path in files if path.suffix == ".ckpt"]
        (waveforms,) = [path for path in files if path.suffix == ".int16"]
        damaged = [checkpoint, waveforms][each] if each < 2 else chance.choice(files)
        turn_a_bit(damaged, chance)
        capsys.readouterr()
        found = train(opened())
        assert found is not None
        np.testing.assert_array_equal(found, expected, err_msg=damaged.name)
        said = capsys.readouterr().err
        assert ("its checkpoint cannot be used (it is damaged); begins again" in said) == (damaged == checkpoint), said
        assert ("waveforms are damaged; they are prepared again" in said) or damaged != waveforms, said
        assert not list(cache.rglob("*.ckpt")), "what is finished leaves none"
