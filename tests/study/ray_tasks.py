"""Pieces of work that nodes of a Ray cluster do for tests.

Ray has nodes import from the folder where the driver was started, as well: here the repository, where pytest was.
"""

import os
import socket
import time
from pathlib import Path

import numpy as np
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import say
from asc_experiments.distill import LogitTable, TrainingContext
from asc_experiments.distill.bank import log_logits
from asc_experiments.study.executors.jobs import Pruned, SeedJob, SeedResult
from asc_experiments.tracking.trials import MODEL_ID, TRIAL


def meet(folder: Path, number: int) -> tuple[str, int, bool]:
    """Wait for two others; where it was done, with how many threads, and whether there is a GPU."""
    (folder / str(number)).touch()
    while len(list(folder.iterdir())) < 3:
        time.sleep(0.05)
    say(f"number {number} was here")
    return socket.gethostname(), torch.get_num_threads(), torch.cuda.is_available()


def fail(how: str) -> None:
    """Fail in one of three ways."""
    if how == "refused":
        raise AscError("a", "b", "c")
    if how == "pruned":
        raise Pruned("pruned after epoch 3")
    raise RuntimeError("out of luck")


def wait_for_stop(log: Path) -> None:
    """Write down what ends it."""
    log.write_text("begun")
    try:
        while True:
            time.sleep(0.1)
    except BaseException as stop:
        log.write_text(f"ended by {type(stop).__name__}")
        raise


def quick_seed(bench: TrainingContext, job: SeedJob) -> SeedResult:
    """A student that says scene 1 of every clip; on node-b one of the later ones waits for its node to be lost."""
    tags = {TRIAL: str(job.trial)}
    with bench.tracking.run(job.experiment_id, f"seed {job.student.seed}", job.kind, tags, job.parent) as run:
        if job.trial > 5 and os.environ["NODE_OF_TEST"] == "node-b":
            (bench.cache / "node-b-is-at-work").touch()
            time.sleep(600)
        logits = np.zeros((len(bench.corpus.clips), len(bench.corpus.scenes)), np.float32)
        logits[:, 1] = 1
        log_logits(run, LogitTable(bench.corpus.filenames, logits))
        metrics = bench.scorecards(logits)
        run.metrics(metrics)
        run.tags({MODEL_ID: "m-1"})
    return SeedResult(run.run_id, "m-1", job.student.seed, metrics)
