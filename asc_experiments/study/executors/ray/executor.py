"""Trainings on the nodes of a Ray cluster: whole ones as Ray tasks, behind the interface of a pool on this machine.

What is promised. A training whose node or worker is lost is begun again elsewhere, and its runs end as KILLED; where
the cache is shared, it continues from its last epoch. The drivers of one cluster have a teacher trained by one of them
at a time, as long as the head node lives; drivers on machines that share neither a cluster nor a cache may train one
twice, which costs time and nothing else.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from asc_experiments import __version__
from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_bytes
from asc_experiments.base.outage import RESUMES, Outage
from asc_experiments.base.ownership import this_driver
from asc_experiments.base.progress import say
from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.study.executors.jobs import train_seed, train_teacher
from asc_experiments.study.executors.local import WorkerPool, WorkError
from asc_experiments.study.executors.ray.actors import Claims
from asc_experiments.study.executors.ray.cluster import Listener, Needs, check_elsewhere, measure, new_mail, nodes
from asc_experiments.study.executors.ray.join_node import join
from asc_experiments.study.executors.ray.worker import (
    NEEDS_CORPUS,
    RAISED,
    Attempt,
    Shipment,
    carry_out,
    without_benches,
)
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.records import OWNER

R = TypeVar("R")
_AFTER_KILL_S = 5.0
_ASK_AGAIN_S = 2.0


class RayExecutor(WorkerPool):
    """A pool whose workers are wherever Ray finds room.

    Args:
        bench: corpus, split and tracking server.
        needs: what each training takes.
        workers: how many at a time; as many as the cluster has room for by default.
        address: the cluster's; see :func:`~.ray_joining.join`.
        shared: folders that every host must see.
        ships_corpus: whether the corpus goes to every node, rather than only to nodes that lack its folder.

    Raises:
        AscError: if Ray is not installed, no cluster answers, there is no room, or a node cannot train.
    """

    def __init__(
        self,
        bench: TrainingContext,
        needs: Needs | None = None,
        workers: int | None = None,
        address: str | None = None,
        shared: Sequence[Path] = (),
        ships_corpus: bool = False,
    ) -> None:
        needs = needs or Needs()
        self._ray = join(address)
        found = nodes(self._ray)
        try:
            count = measure(found, needs, workers)
            check_elsewhere(self._ray, found, shared, bench.tracking)
        except BaseException:
            self._ray.shutdown()
            raise
        self._desk = _Desk(self._ray, bench, needs, ships_corpus)
        super().__init__(count, [_RaySlot(self._desk) for _ in range(count)])

    def stop(self) -> None:
        """Have the trainings end truthfully; those that do not are killed."""
        super().stop()
        wait(list(self._running), timeout=_AFTER_KILL_S)
        self._leave()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster when everything is done."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._leave()

    def _leave(self) -> None:
        self._desk.listener.close()
        self._ray.shutdown()


class _Desk:
    """What the slots of one driver share: its mail, the cluster's claims, the shipped corpus."""

    def __init__(self, ray: Any, bench: TrainingContext, needs: Needs, ships_corpus: bool) -> None:
        self.ray, self.bench, self.needs = ray, bench, needs
        self.name = uuid.uuid4().hex
        self.mail = new_mail(ray)
        self.listener = Listener(ray, self.mail)
        self.claims = _claims(ray)
        # Ray's own retries would not tell whose runs a lost attempt leaves behind.
        self._task = ray.remote(carry_out).options(num_cpus=needs.cpus, num_gpus=needs.gpus, max_retries=0)
        self._shipping = threading.Lock()
        self._shipment: list[Any] = []
        if ships_corpus:
            self.ship()

    def submit(self, name: str, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        attempt = Attempt(name, this_driver(), self.needs.cpus, self.needs.gpus, self.mail, tuple(self._shipment))
        return self._task.remote(attempt, fn, without_benches(args), kwargs)

    def ship(self) -> None:
        """Put the corpus into Ray's object store, from which each node that needs it fetches it once."""
        with self._shipping:
            if not self._shipment:
                bench = self.bench
                clips = np.asarray(bench.store.waveforms)  # a plain view of the memory map: Ray copies it once
                say(f"Ray: the corpus goes into the object store: {clips.nbytes / 1e9:.2g} GB on each node that trains")
                try:
                    self._shipment = [self.ray.put(Shipment(bench.corpus, clips, bench.responses))]
                except (self.ray.exceptions.ObjectStoreFullError, self.ray.exceptions.OutOfDiskError) as error:
                    what = f"has no room for the corpus ({type(error).__name__})"
                    remedy = "put the corpus on a path that all nodes share"
                    raise AscError("Ray's object store", what, remedy) from None
                except self.ray.exceptions.RayError as error:
                    raise _lost(error) from None

    @contextmanager
    def claimed(self, fn: Callable[..., Any], args: Sequence[Any], is_over: threading.Event) -> Iterator[None]:
        """Hold the cluster's claim to a teacher or a student while it is trained; other work needs none."""
        claimed = _network_of(fn, args)
        if claimed is None:
            yield
            return
        key, what = claimed
        name = claim_to(key, self.bench.tracking)
        has_said = False
        while not self._answer(self.claims.take.remote(name, self.name, self.mail)):
            if not has_said:
                say(f"{what}: another driver has it trained; waits")
                has_said = True
            if is_over.wait(_ASK_AGAIN_S):
                raise BrokenExecutor("stopped while it waited")
        try:
            yield
        finally:
            with suppress(Exception):  # the cluster is gone, and the claim with it
                self.ray.get(self.claims.leave.remote(name, self.name))

    def end_runs(self, attempt: str) -> None:
        """End, as KILLED, what a lost attempt left RUNNING; on its own host nobody might be there to do so.

        Raises:
            Outage: if it is not only a node that was lost.
        """
        owner = self._answer(self.mail.owner.remote(attempt))
        if owner is not None:
            self.bench.tracking.end_runs_of(OWNER, owner, "its Ray worker or node was lost")

    def _answer(self, answer: Any) -> Any:
        """What one of the cluster's actors answers: they are lost with the cluster alone.

        Raises:
            Outage: if they are.
        """
        try:
            return self.ray.get(answer)
        except self.ray.exceptions.RayError as error:
            raise _lost(error) from None


class _RaySlot:
    """Room for one training at a time, on whichever node Ray chooses."""

    loss = "a Ray worker or its node was lost; its training is begun again on what is left"

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._task: Any = None
        self._is_over = threading.Event()

    def start(self) -> None:
        """There is nothing to start."""

    def do(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        with self._desk.claimed(fn, args, self._is_over):
            kind, outcome = self._attempt(fn, args, kwargs)
            if kind == NEEDS_CORPUS:
                self._desk.ship()
                kind, outcome = self._attempt(fn, args, kwargs)
        if kind == RAISED:
            raise outcome
        return outcome

    def interrupt(self) -> None:
        self._is_over.set()
        self._cancel(force=False)

    def kill(self) -> None:
        self._cancel(force=True)

    def close(self) -> None:
        """There is nothing to keep."""

    def _cancel(self, force: bool) -> None:
        if self._task is not None:
            with suppress(Exception):  # it has ended, or the cluster is gone
                self._desk.ray.cancel(self._task, force=force)

    def _attempt(self, fn: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[str, Any]:
        """Make one attempt.

        Raises:
            BrokenExecutor: if it was lost or cancelled.
            AscError: if it could not begin: what it was given needs a server that does not answer.
            WorkError: if it could not begin for another reason.
        """
        errors = self._desk.ray.exceptions
        name = uuid.uuid4().hex
        self._task = self._desk.submit(name, fn, args, kwargs)
        if self._is_over.is_set():  # nobody could cancel it before there was a task
            self._cancel(force=False)
        try:
            kind, outcome = self._desk.ray.get(self._task)
        except errors.TaskCancelledError:
            self._desk.end_runs(name)  # of one that had to be killed
            raise BrokenExecutor("stopped") from None
        except errors.RayTaskError as error:
            if isinstance(error.cause, AscError):
                raise error.cause from None
            raise WorkError(f"{type(error.cause).__name__}: {error.cause}", str(error)) from None
        except errors.RayError as lost:  # the worker, its node, what it needed of a node: all are had again elsewhere
            self._desk.end_runs(name)
            raise BrokenExecutor(str(lost)) from None
        finally:
            self._task = None
        return kind, outcome


def _lost(error: Exception) -> Outage:
    return Outage("the Ray cluster", f"does not answer ({type(error).__name__})", f"start it; {RESUMES}")


def _network_of(fn: Callable[..., Any], args: Sequence[Any]) -> tuple[str, str] | None:
    """What identifies the network that a piece of work trains, and what people call it; None for other work."""
    if fn is train_teacher:
        bench, recipe = args
        key = TeacherBank(bench.tracking).key(recipe, bench)
        return key, f"teacher {key} {recipe.name}"
    if fn is train_seed:
        _, job = args
        return f"{job.cell} {job.student.seed}", f"trial {job.trial}: student {job.student.name}"
    return None


def claim_to(key: str, tracking: Tracking) -> str:
    """What drivers call a network among themselves: those of other tracking servers do not have it."""
    return digest_bytes(f"{tracking.uri} {key}".encode())


def _claims(ray: Any) -> Any:
    """The cluster's claims, on its head node, whose loss ends the cluster anyway."""
    options = {"name": f"claims {__version__}", "get_if_exists": True, "lifetime": "detached"}
    head = {"node:__internal_head__": 0.001}
    return ray.remote(Claims).options(num_cpus=0, resources=head, **options).remote()
