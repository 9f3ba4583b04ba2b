"""What a trial costs besides its trainings: an epoch's tracking, its figures and conclusion, starting the program."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from asc_experiments.bench.timing import Measured, median_ms
from asc_experiments.corpus.decoding import decode_all
from asc_experiments.corpus.index import Corpus
from asc_experiments.metrics import VALIDATION, metric_names
from asc_experiments.tracking import Tracking

_TIMES = 7


def tracking_epoch(corpus: Corpus) -> Measured:
    """Logging what an epoch of a study's student logs, until it has arrived: loss, rate, validation accuracies."""
    names = [f"{VALIDATION}/{name}" for name in metric_names(corpus.devices, [], corpus.scenes)]
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder:
        tracking = Tracking.open(Path(folder))
        with tracking.run(tracking.experiment("benchmark"), "epoch", "seed", {}) as run:
            epochs = iter(range(1, 1_000))

            def log() -> None:
                run.curve(dict.fromkeys(names, 0.5), next(epochs), int(1_000 * time.time()))
                run.flush()

            return Measured(median_ms(log, _TIMES), "ms")


def help_start() -> Measured:
    """Starting the program to see its help."""
    command = [sys.executable, "-m", "asc_experiments", "--help"]
    return Measured(median_ms(lambda: subprocess.run(command, capture_output=True, check=True), _TIMES) / 1_000, "s")


def preparing(root: Path, names: list[str]) -> int:
    """Decode and resample every clip, as preparing a large corpus does; the number of samples."""
    return sum(clip.samples for clip in decode_all(root, names, in_processes=True))


def preparing_plainly(root: Path, names: list[str]) -> int:
    """The same with the libraries alone, one clip after another."""
    import soundfile
    import soxr

    total = 0
    for name in names:
        samples, rate = soundfile.read(root / name, dtype="float32")
        total += len((soxr.resample(samples, rate, 32_000, quality="HQ") * 32768.0).astype("int16"))
    return total
