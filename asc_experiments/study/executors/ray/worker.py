"""What happens in the processes that Ray starts on its nodes: one training at a time, with the corpus that is there.

Nothing here imports ray when it is imported; every line that a training says goes to its driver.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

# Read by OpenMP when torch is loaded; see cli/main.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from asc_experiments import __version__
from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_process, work_for
from asc_experiments.base.progress import plain_progress, say
from asc_experiments.corpus import Corpus, ValidationSplit, WaveformStore
from asc_experiments.corpus.impulse_responses import ImpulseResponses
from asc_experiments.corpus.train_split import TrainSplit
from asc_experiments.distill import TrainingContext
from asc_experiments.study.executors.local import WorkError, whole
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.run import Stopped
from asc_experiments.training.precision import want_precision, wanted_precision

DONE, RAISED, NEEDS_CORPUS = "done", "raised", "needs corpus"
_CACHE_VARIABLE = "ASC_CACHE"


@dataclass(frozen=True)
class BenchAddress:
    """Where a node finds what a :class:`TrainingContext` has, and what it must find there.

    Attributes:
        root, tracking, cache, split, dirs: the TrainingContext's.
        digest, reference_device: of the corpus.
        precision: what ``ASC_PRECISION`` says to the driver; a node's own environment may lack it.
        number_format: in which numbers the driver's machine would train.
        train_split: the list of clips that alone are trained on.
    """

    root: Path
    tracking: Tracking
    cache: Path
    split: ValidationSplit
    dirs: Path | None
    digest: str
    reference_device: str
    precision: str
    number_format: str
    train_split: TrainSplit | None = None

    @classmethod
    def of(cls, bench: TrainingContext) -> BenchAddress:
        """The address of a TrainingContext of this process."""
        dirs = bench.dirs.absolute() if bench.dirs else None
        root, cache = bench.corpus.root.absolute(), bench.cache.absolute()
        corpus = bench.store.corpus_digest, bench.corpus.reference_device
        numbers = wanted_precision(), bench.number_format
        return cls(root, bench.tracking, cache, bench.split, dirs, *corpus, *numbers, bench.train_split)

    @property
    def is_here(self) -> bool:
        """Whether the corpus and its impulse responses lie on this node under their paths."""
        return self.root.is_dir() and (self.dirs is None or self.dirs.is_dir())


@dataclass(frozen=True, eq=False)
class Shipment:
    """A corpus on its way to nodes that lack it: its tables, decoded clips as a store has them, impulse responses."""

    corpus: Corpus
    waveforms: Any
    responses: ImpulseResponses | None


@dataclass(frozen=True, eq=False)
class _ShippedWorkbench(TrainingContext):
    """A TrainingContext whose clips lie in the node's object store: once, whatever number of trainings reads them."""

    shipped_responses: ImpulseResponses | None = None

    @cached_property
    def responses(self) -> ImpulseResponses | None:
        """The impulse responses that came with the corpus."""
        return self.shipped_responses


class _NeedsCorpus(Stopped):
    """The corpus is not on this node and was not sent along."""


def without_benches(args: Sequence[Any]) -> list[Any]:
    """Arguments with every TrainingContext replaced by its address."""
    return [BenchAddress.of(each) if isinstance(each, TrainingContext) else each for each in args]


def _with_bench(argument: Any, shipment: Sequence[Any]) -> Any:
    """An argument, or the TrainingContext at an address."""
    if not isinstance(argument, BenchAddress):
        return argument
    want_precision(argument.precision)
    cache = Path(os.environ.get(_CACHE_VARIABLE) or argument.cache)
    base = replace(argument, train_split=None)
    if shipment:
        return _shipped(base, cache, shipment[0]).with_train_split(argument.train_split)
    if not argument.is_here:
        raise _NeedsCorpus
    return _opened(base, cache).with_train_split(argument.train_split)


@lru_cache(maxsize=2)
def _opened(address: BenchAddress, cache: Path) -> TrainingContext:
    bench = TrainingContext.open(address.root, address.tracking, cache, address.split, address.dirs)
    _say_of_numbers(bench, address)
    if (bench.store.corpus_digest, bench.corpus.reference_device) != (address.digest, address.reference_device):
        what = f"is another corpus on {os.uname().nodename} than where the study was begun"
        raise AscError(address.root, what, "make them the same, or give --ship-corpus")
    return bench


@lru_cache(maxsize=2)
def _shipped(address: BenchAddress, cache: Path, shipment: Any) -> TrainingContext:
    import ray

    found: Shipment = ray.get(shipment)
    # Ray's arrays are read-only, of which torch warns at every training; all but the clips are small enough to copy.
    corpus, responses = deepcopy((found.corpus, found.responses))
    store = WaveformStore(found.waveforms, address.digest, cache)
    bench = _ShippedWorkbench(
        corpus, store, address.split, address.tracking, cache, address.dirs, shipped_responses=responses
    )
    _say_of_numbers(bench, address)
    return bench


def _say_of_numbers(bench: TrainingContext, address: BenchAddress) -> None:
    """Say once where a worker computes in other numbers than its driver would: its networks have keys of their own."""
    if bench.number_format != address.number_format:
        what = f"trains in {bench.number_format}, its driver in {address.number_format}"
        remedy = "networks get keys of their own; with ASC_PRECISION=float32 all machines compute alike"
        say(f"{os.uname().nodename}: {what}: {remedy}")


@dataclass(frozen=True)
class Attempt:
    """One attempt at a piece of work.

    Attributes:
        name: the driver is told which process makes the attempt of this name.
        driver: the process that it is made for.
        threads: processors to use.
        gpus: how many GPUs Ray keeps free for it; without any it trains on the processors.
        mail: the driver's :class:`~.ray_actors.Mail`.
        shipment: the corpus in Ray's object store, or nothing where it is on the nodes.
    """

    name: str
    driver: str
    threads: int
    gpus: float
    mail: Any
    shipment: Sequence[Any]


def carry_out(attempt: Attempt, fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Do one piece of work as a Ray task; of its arguments, each TrainingContext is an address.

    Returns:
        ``(DONE, result)``, ``(RAISED, error)`` or ``(NEEDS_CORPUS, None)``.
    """
    import ray

    # Ray ends a task by an interrupt, which a node that was started in the background of a shell ignores.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not attempt.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    work_for(attempt.driver)
    ray.get(attempt.mail.begin.remote(attempt.name, this_process()))
    plain_progress()
    import torch

    torch.set_num_threads(attempt.threads)
    with redirect_stderr(_Lines(attempt.mail)):
        try:
            return DONE, whole(_do, attempt.shipment, fn, args, kwargs)
        except _NeedsCorpus:
            return NEEDS_CORPUS, None
        except (AscError, Stopped, WorkError) as error:
            return RAISED, error


def _do(shipment: Sequence[Any], fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return fn(*(_with_bench(each, shipment) for each in args), **kwargs)


def unseen(files: Sequence[Path]) -> list[Path]:
    """Those files that this node does not see."""
    return [file for file in files if not file.exists()]


def reach(tracking: Tracking) -> str:
    """Reach the tracking server from this node, and end there what was killed here; this program's version.

    Raises:
        AscError: if it does not answer.
    """
    tracking.check_answers()
    tracking.sweep()
    return __version__


class _Lines(io.TextIOBase):
    """Standard error of a training: every whole line is sent to the driver."""

    def __init__(self, mail: Any) -> None:
        self._mail = mail
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._mail.say.remote(line)
        return len(text)
