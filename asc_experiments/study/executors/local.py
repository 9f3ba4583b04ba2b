"""Where trainings run: in this process, or in worker processes on this machine. (On others: :mod:`.ray_executor`.)

All have the interface of :class:`concurrent.futures.Executor`, and the number of trainings that they do at a time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, Protocol, TypeVar

from asc_experiments.base.errors import AscError
from asc_experiments.base.ownership import this_driver, work_for
from asc_experiments.base.processors import end_with_parent, processors
from asc_experiments.base.progress import plain_progress, say
from asc_experiments.base.stopping import end_on_sigterm
from asc_experiments.tracking.client.run import Stopped

P = ParamSpec("P")
R = TypeVar("R")
_ATTEMPTS = 10
_GRACE_S = 15.0


class WorkError(Exception):
    """What a training died of in another process; its text is the error's type and message."""

    def __init__(self, text: str, trace: str) -> None:
        super().__init__(text, trace)
        self.text, self.trace = text, trace

    def __str__(self) -> str:
        return self.text


class WorkerLost(Exception):  # noqa: N818 - it is the worker that is lost
    """A training was begun again so often that something kills whoever does it."""


class InProcess(Executor):
    """Does each piece of work when it is submitted, in this process; an interrupt goes straight through."""

    workers = 1

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Do the work now."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def stop(self) -> None:
        """Nothing is running."""


class Slot(Protocol):
    """A place where one training at a time is done: a worker process here, or whatever Ray finds room for.

    Attributes:
        loss: what is said when a training was lost and is begun again.
    """

    loss: str

    def start(self) -> None:
        """Make ready, if it is not."""

    def do(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        """Do the work and wait for it.

        Raises:
            BrokenExecutor: if whoever did it was killed or told to stop.
        """

    def interrupt(self) -> None:
        """Have what is being done end truthfully."""

    def kill(self) -> None:
        """End what is being done at once."""

    def close(self) -> None:
        """Let go of the process; the next start makes a new one."""


class WorkerPool(Executor):
    """Worker processes that share the processors, each with its own copy of the program.

    A worker that is killed takes only its own training with it, which is begun again in a new worker and continues from
    its last epoch. (One pool for all would lose every running training.) However this process ends, so do its workers.

    Args:
        workers: how many trainings at a time.
        slots: where, one for each; processes on this machine by default.
    """

    def __init__(self, workers: int, slots: Sequence[Slot] | None = None) -> None:
        self.workers = workers
        threads = max(1, processors() // workers)
        self._slots: SimpleQueue[Slot] = SimpleQueue()
        self._all = slots or [_Slot(threads) for _ in range(workers)]
        for slot in self._all:
            self._slots.put(slot)
        self._waiters = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._running: set[Future[Any]] = set()
        self._stopping = threading.Event()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Queue work for the next free worker."""
        future = self._waiters.submit(partial(self._run, fn, *args, **kwargs))
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def stop(self) -> None:
        """Tell the workers to end what they do truthfully; those that do not are killed."""
        self._stopping.set()
        self._waiters.shutdown(wait=False, cancel_futures=True)
        for slot in self._all:
            slot.interrupt()
        wait(list(self._running), timeout=_GRACE_S)
        for slot in self._all:
            slot.kill()
            slot.close()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the workers go when they are done."""
        self._waiters.shutdown(wait=wait, cancel_futures=cancel_futures)
        for slot in self._all:
            slot.close()

    def _run(self, fn: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        slot = self._slots.get()
        try:
            for _ in range(_ATTEMPTS):
                try:
                    slot.start()
                    if self._stopping.is_set():  # nobody could tell this worker before it had started
                        raise BrokenExecutor("stopped before it began")
                    return slot.do(fn, *args, **kwargs)
                except (BrokenExecutor, SystemExit):  # killed, or told to end by somebody else
                    slot.close()
                    if self._stopping.is_set():
                        raise
                    say(slot.loss)
            raise WorkerLost(f"its worker was killed {_ATTEMPTS} times in one training; is there enough memory?")
        finally:
            self._slots.put(slot)


class _Slot:
    """One worker process, started when it is first needed and again after it was killed."""

    loss = "a worker was killed; a new one resumes its training"

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor: ProcessPoolExecutor | None = None
        self._pid: int | None = None

    def start(self) -> None:
        if self._executor is None:
            context = multiprocessing.get_context("spawn")  # a fork would share the parent's locks, and CUDA forbids it
            self._executor = ProcessPoolExecutor(1, context, _begin, (self.threads, this_driver()))
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C while the worker starts
            try:
                started = self._executor.submit(os.getpid)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            self._pid = started.result()

    def do(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        assert self._executor is not None
        return self._executor.submit(whole, fn, *args, **kwargs).result()

    def interrupt(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._pid is not None:
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                self._pid = None

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._pid = None


def _begin(threads: int, driver: str) -> None:
    """Make a new worker's process ready: the driver decides when it ends, and how many processors it takes."""
    work_for(driver)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_on_sigterm()
    end_with_parent()
    plain_progress()
    import torch

    torch.set_num_threads(threads)


def whole(fn: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Do the work; an error of another library may not survive the way between processes, its text does.

    Raises:
        AscError: as it is; so is :class:`Stopped`.
        WorkError: for any other error.
    """
    try:
        return fn(*args, **kwargs)
    except (AscError, Stopped):
        raise
    except Exception as error:
        raise WorkError(f"{type(error).__name__}: {error}", traceback.format_exc()) from None
