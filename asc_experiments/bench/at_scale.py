"""Whether a training is as fast, and as small, on a corpus of TAU22's size as on one of a few hundred clips."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import hushed
from asc_experiments.corpus.synth import synthesise

_SMALL = 60
"""Clips per scene of the small corpus."""
_PROGRAM = """
import json, sys, time
began = time.perf_counter()
from pathlib import Path
import numpy as np
from asc_experiments.corpus.splits import ValidationSplit
from asc_experiments.distill import TrainingContext
from asc_experiments.tracking import Tracking
from asc_experiments.training import SoftTargets, make_recipe
corpus, cache, clips = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
bench = TrainingContext.open(corpus, Tracking.open(cache), cache, ValidationSplit(fraction=0.2))
rows, rng, is_reference = bench.rows[0], np.random.default_rng(0), bench.clips.is_reference[bench.rows[0]]
half, kinds = clips // 2, [rows[is_reference], rows[~is_reference]]  # DIR is for the former, and costs
rows = rng.permutation(np.concatenate([rng.choice(kind, half, replace=half > len(kind)) for kind in kinds]))
logits = np.zeros((len(bench.corpus.clips), len(bench.corpus.scenes)), dtype=np.float32)
trainer = bench.trainer(make_recipe("cp_mobile", "dirfms", epochs=1, batch_size=64), SoftTargets(logits))
opened = time.perf_counter() - began
trainer.train_epoch(rows[:256])
print(json.dumps({"opened_s": opened}), flush=True)
for line in sys.stdin:
    before = time.perf_counter()
    trainer.train_epoch(rows)
    seconds = time.perf_counter() - before
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps({"s": seconds, "mib": int(status["RssAnon"].split()[0]) / 1024}), flush=True)
"""


def benchmark_at_scale(corpus: Path, cache: Path, clips: int, rounds: int) -> dict[str, float]:
    """Train a student with all augmentation on as many clips of a corpus and of a small synthetic one, in turn.

    Args:
        corpus: the large one; prepared first where it is not yet.
        cache: where its waveforms are.
        clips: of an epoch, drawn from the whole of either, half of them of the reference device: no cliff is hidden, or
            made up, by how many of its clips DIR convolves.
        rounds: how many epochs on each.

    Returns:
        Seconds until a training on either can begin, imports included; clips per second of both, how many times
        faster the large one is; the memory of either process after an epoch in MiB, without clips that are mapped from
        the store's file, which the system gives to others when they need it. (Linux tells that.)

    Raises:
        AscError: if one of the trainings fails.
    """
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder, hushed():
        small = Path(folder)
        synthesise(small / "corpus", clips_per_scene=_SMALL, seed=0)
        _Training(small / "corpus", small, clips).close()  # prepares it
        _Training(corpus, cache, clips).close()
        trainings = {"large": _Training(corpus, cache, clips), "small": _Training(small / "corpus", small, clips)}
        for _ in range(rounds):
            for training in trainings.values():
                training.epoch()
        for training in trainings.values():
            training.close()
    seconds = [training.seconds for training in trainings.values()]
    facts = {"scale.clips": float(clips)}
    for name, training in trainings.items():
        facts |= {
            f"scale.{name}_opened_s": training.opened,
            f"scale.{name}_clips_per_s": clips / statistics.median(training.seconds),
            f"scale.{name}_mib": training.mib,
        }
    return facts | {"scale.ratio": statistics.median(b / a for a, b in zip(*seconds, strict=True))}


class _Training:
    """A process that trains an epoch whenever it is told to."""

    def __init__(self, corpus: Path, cache: Path, clips: int) -> None:
        self.corpus, self.seconds, self.mib = corpus, list[float](), 0.0
        command = [sys.executable, "-c", _PROGRAM, str(corpus), str(cache), str(clips)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.opened = self._told()["opened_s"]

    def epoch(self) -> None:
        """Train one."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        told = self._told()
        self.seconds.append(told["s"])
        self.mib = told["mib"]

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _told(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate()
            raise AscError(
                self.corpus, f"cannot be trained on ({said.strip().splitlines()[-1][:200]})", "mend that first"
            )
        told: dict[str, float] = json.loads(line)
        return told
