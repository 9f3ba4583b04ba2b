"""What a whole study costs, beside scripts that train every trial's teachers anew: the figure that a user pays.

Both train the same networks on the same clips: six kinds of teachers, twelve students of three teachers each. Here each
teacher is trained once and its logits are kept, by two workers; the scripts' way, as the published code is used, is one
process that trains three teachers and a student for every trial, and stores nothing. Both start from prepared clips.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
import yaml

from asc_experiments.base.errors import AscError
from asc_experiments.base.processors import end_with_parent
from asc_experiments.base.progress import hushed
from asc_experiments.bench.baseline import PlainClips, PlainTrainer
from asc_experiments.corpus import Corpus, prepare
from asc_experiments.corpus.impulse_responses import load_impulse_responses
from asc_experiments.corpus.splits import ValidationSplit, split_training_fold
from asc_experiments.corpus.synth import synthesise
from asc_experiments.metrics import OVERALL_ACCURACY
from asc_experiments.training import Recipe, make_recipe

TRIALS, TEACHERS_EACH = 12, 3
_MIB = 1 << 20
_LOOK_EVERY_S = 0.5
_VALIDATION = ValidationSplit(fraction=0.2)


def kinds(epochs: int) -> dict[str, dict[str, Any]]:
    """The six kinds of teachers by their names: three architectures, with Freq-MixStyle alone or with DIR too."""
    small_passt = {"arch": "passt", "embed_dim": 192, "num_heads": 3}
    shapes: dict[str, dict[str, Any]] = {
        "cpm": {"arch": "cp_mobile"},
        "cpr": {"arch": "cp_resnet"},
        "passt": small_passt,
    }
    settings = {"epochs": epochs, "batch_size": 64}
    return {
        f"{name}_{augment}": shape | {"augment": augment} | settings
        for name, shape in shapes.items()
        for augment in ("fms", "dirfms")
    }


def teams() -> list[tuple[str, ...]]:
    """The teachers of each trial; every kind is in six of the twelve."""
    names = list(kinds(1))
    steps = ((0, 1, 2), (0, 1, 3))
    return [tuple(names[(first + step) % len(names)] for step in each) for each in steps for first in range(len(names))]


def benchmark_study(clips_per_scene: int, epochs: int, workers: int) -> dict[str, float]:
    """Run the study both ways.

    Args:
        clips_per_scene: of the synthetic corpus.
        epochs: of every network.
        workers: of this program; the scripts' way is one process with all processors.

    Returns:
        Seconds of both, how many times faster this program is, and the most memory of a process, in MiB
        (see :func:`_most_memory`).

    Raises:
        AscError: if the study fails.
    """
    with tempfile.TemporaryDirectory(prefix="asc-bench-") as folder:
        root = Path(folder)
        with hushed():
            synthesise(root / "corpus", clips_per_scene=clips_per_scene, seed=0)
            prepare(Corpus.open(root / "corpus"), root / ".asc")
        (root / "study.yaml").write_text(yaml.safe_dump(_study(epochs)))
        before = time.perf_counter()
        with _most_memory() as ours:
            _run(root, workers)
        seconds = time.perf_counter() - before
        with _most_memory() as plain, _process() as pool:
            before = time.perf_counter()
            pool.submit(_scripts_way, root, epochs, teams()).result()
            plain_seconds = time.perf_counter() - before
    return {
        "study.trials": TRIALS,
        "study.teachers_trained": len(kinds(epochs)),
        "study.s": seconds,
        "study.worker_mib": ours[0],
        "study.plain_teachers_trained": TRIALS * TEACHERS_EACH,
        "study.plain_s": plain_seconds,
        "study.plain_mib": plain[0],
        "study.ratio": plain_seconds / seconds,
    }


def _student(epochs: int) -> dict[str, Any]:
    return {"augment": "dirfms", "epochs": epochs, "batch_size": 64}


def _study(epochs: int) -> dict[str, Any]:
    named = {f"team{number}": dict.fromkeys(team, 1) for number, team in enumerate(teams())}
    return {
        "name": "whole-study",
        "sampler": "grid",
        "objective": {"metric": str(OVERALL_ACCURACY), "split": "validation"},
        "validation": _VALIDATION.model_dump(mode="json"),
        "ensemble": {"teams": named, "pool": [{"name": name} | kind for name, kind in kinds(epochs).items()]},
        "student": _student(epochs),
    }


def _run(root: Path, workers: int) -> None:
    command = ["study", "run", "study.yaml", "--corpus", "corpus", "--workspace", ".", "--workers", str(workers)]
    done = subprocess.run(
        [sys.executable, "-m", "asc_experiments", *command], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AscError("asc study run", f"failed: {done.stderr.strip()[-300:]}", "mend that first")
    status = [sys.executable, "-m", "asc_experiments", "study", "status", "whole-study", "--workspace", ".", "--json"]
    said = json.loads(subprocess.run(status, cwd=root, capture_output=True, text=True, check=True).stdout)
    if said["finished"] != TRIALS:
        raise AscError("asc study run", f"finished {said['finished']} of {TRIALS} trials", "look at its errors first")


def _scripts_way(root: Path, epochs: int, of_trials: list[tuple[str, ...]]) -> None:
    """Train three teachers and a student for every trial, and keep nothing."""
    corpus = Corpus.open(root / "corpus")
    with hushed():
        waveforms = prepare(corpus, root / ".asc").waveforms
    rows, _ = split_training_fold(corpus, _VALIDATION)
    dirs = load_impulse_responses(root / "corpus" / "dirs").responses
    is_reference = corpus.device_of == corpus.reference_device
    settings = kinds(epochs)

    def trained(recipe: Recipe, teacher: torch.Tensor | None) -> PlainTrainer:
        trainer = PlainTrainer(recipe, len(corpus.scenes), torch.device("cpu"))
        clips = PlainClips(waveforms[rows], corpus.labels[rows], is_reference[rows], recipe, dirs)
        for _ in range(epochs):
            trainer.train_epoch(clips, teacher, workers=0)
            trainer.evaluate(waveforms[corpus.test_rows], recipe.optimisation.batch_size)
        return trainer

    for team in of_trials:
        logits = []
        for name in team:
            recipe = make_recipe(settings[name]["arch"], **{k: v for k, v in settings[name].items() if k != "arch"})
            logits.append(trained(recipe, None).evaluate(waveforms[rows], recipe.optimisation.batch_size))
        trained(make_recipe("cp_mobile", **_student(epochs)), torch.stack(logits).mean(dim=0))


@contextmanager
def _process() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        yield pool


@contextmanager
def _most_memory() -> Iterator[list[float]]:
    """The most that any process started within has held, in MiB, as the one value of a list.

    Of what it shares with others, such as PyTorch's own code, its share counts (PSS): the sum over all processes is
    what the machine needs.
    """
    most, over, own = [0.0], threading.Event(), psutil.Process()

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            for process in own.children(recursive=True):
                try:
                    held = process.memory_full_info()
                    most[0] = max(most[0], getattr(held, "pss", held.uss) / _MIB)  # macOS knows no shares
                except psutil.Error:  # it has ended meanwhile
                    continue

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()
