"""A tracking server that may be killed, and a workbench whose runs go there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import TrainingContext
from asc_experiments.tracking import Tracking
from tests.faults.servers import MlflowServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A tracking server that answers."""
    made = MlflowServer(tmp_path_factory.mktemp("server"))
    made.start()
    made.wait()
    yield made
    made.kill()


@pytest.fixture
def bench(server: MlflowServer, synth_corpus: Path, tmp_path: Path) -> Callable[[], TrainingContext]:
    """Open the synthetic corpus for training, with checkpoints of the test's own."""

    def open_() -> TrainingContext:
        tracking = Tracking.open(tmp_path, server.url)
        return TrainingContext.open(synth_corpus, tracking, tmp_path / "cache", ValidationSplit(fraction=0.3))

    return open_
