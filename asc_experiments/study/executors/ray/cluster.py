"""A Ray cluster that was joined: its room measured, its other hosts asked whether they can train, its mail read."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asc_experiments import __version__
from asc_experiments.base.errors import AscError
from asc_experiments.base.progress import say
from asc_experiments.study.executors.ray import worker as ray_node
from asc_experiments.study.executors.ray.actors import Mail
from asc_experiments.tracking import Tracking

_LOOK_WITHIN_S = 120.0


@dataclass(frozen=True)
class Needs:
    """What one training takes of a node: processors, of which it uses as many threads, and GPUs or parts of one."""

    cpus: int = 1
    gpus: float = 0.0

    def room_on(self, resources: dict[str, float]) -> int:
        """How many trainings at a time fit on a node with these resources."""
        fits = int(resources.get("CPU", 0.0) + 1e-6) // self.cpus
        return min(fits, int(resources.get("GPU", 0.0) / self.gpus + 1e-6)) if self.gpus else fits

    def __str__(self) -> str:
        return _count(self.cpus, "processor") + (f" and {self.gpus:g} GPU" if self.gpus else "")


@dataclass(frozen=True)
class Node:
    """A node of the cluster that is alive."""

    node_id: str
    host: str
    resources: dict[str, float]


def nodes(ray: Any) -> list[Node]:
    """The nodes that are alive."""
    return [Node(n["NodeID"], n["NodeManagerHostname"], dict(n["Resources"])) for n in ray.nodes() if n["Alive"]]


def measure(found: Sequence[Node], needs: Needs, wanted: int | None) -> int:
    """How many trainings at a time: as many as were asked for, by default as many as fit.

    Raises:
        AscError: if none fits, and nobody said how many there will be room for.
    """
    room = sum(needs.room_on(node.resources) for node in found)
    if room == 0 and wanted is None:
        what = f"no node has {needs} for a training"
        raise AscError("the Ray cluster", what, "lower --cpus-per-training or --gpus-per-training, or add nodes")
    workers = wanted or room
    gpus = sum(node.resources.get("GPU", 0.0) for node in found)
    where = f"{_count(len(found), 'node')} on {_count(len({node.host for node in found}), 'host')}"
    say(f"Ray: {where}, room for {_count(room, 'training')} of {needs}; at most {workers} at a time")
    if gpus and not needs.gpus:
        say(f"Ray: none of the {gpus:g} GPUs is used; --gpus-per-training 0.25 trains four networks on each")
    return workers


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def check_elsewhere(ray: Any, found: Sequence[Node], shared: Sequence[Path], tracking: Tracking) -> None:
    """Check that every other host can train: this program, the folders that must be shared, the tracking server.

    Args:
        ray: the module.
        found: the nodes.
        shared: folders that every host must see, because no server keeps what is in them.
        tracking: the tracking server.

    Raises:
        AscError: if one cannot.
    """
    elsewhere = {node.host: node for node in found if node.host != socket.gethostname()}
    if not elsewhere:
        return
    with _tokens(shared) as tokens:
        for host, missing in _ask(ray, elsewhere, ray_node.unseen, tokens).items():
            if missing:
                remedy = "give --tracking-uri a server and --storage a database, or share that folder"
                raise AscError(missing[0].parent, f"is on this machine alone, and a Ray node on {host}", remedy)
    for host, version in _ask(ray, elsewhere, ray_node.reach, tracking).items():
        if version != __version__:
            what = f"has version {version} of asc_experiments, not {__version__}"
            raise AscError(f"Ray node on {host}", what, "install the same one everywhere")


def _ask(ray: Any, there: Mapping[str, Node], fn: Callable[..., Any], argument: Any) -> dict[str, Any]:
    """Call a function on these nodes at a time; its answers by host.

    Raises:
        AscError: if one does not answer.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(fn)
    asked = {}
    for host, node in there.items():
        strategy = NodeAffinitySchedulingStrategy(node.node_id, soft=False)
        asked[host] = task.options(num_cpus=0, max_retries=0, scheduling_strategy=strategy).remote(argument)
    return {host: _answer(ray, host, answer) for host, answer in asked.items()}


def _answer(ray: Any, host: str, answer: Any) -> Any:
    try:
        return ray.get(answer, timeout=_LOOK_WITHIN_S)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, AscError):
            raise AscError(f"Ray node on {host}", error.cause.line()) from None
        reason = f"{type(error.cause).__name__}: {error.cause}"
    except ray.exceptions.RayError as error:
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
    remedy = f"install asc_experiments[ray] {__version__} there, in the same version of Python"
    raise AscError(f"Ray node on {host}", f"cannot train ({reason})", remedy)


@contextmanager
def _tokens(shared: Sequence[Path]) -> Iterator[list[Path]]:
    """A new file in each folder: a host that has only a folder of the same name does not see it."""
    paths = [folder.absolute() / f".seen-by-all-{uuid.uuid4().hex}" for folder in shared]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        yield paths
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def new_mail(ray: Any) -> Any:
    """A driver's mail, on the driver's own node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Mail).options(num_cpus=0, scheduling_strategy=here).remote()


class Listener:
    """Says what trainings elsewhere say, as it comes.

    Args:
        ray: the module.
        mail: where it comes in.
    """

    _EVERY_S = 0.5

    def __init__(self, ray: Any, mail: Any) -> None:
        self._ray, self._mail = ray, mail
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="ray-lines", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say what is left, and end."""
        self._over.set()
        self._thread.join(timeout=10 * self._EVERY_S)

    def _listen(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._over.wait(self._EVERY_S)
            with suppress(Exception):  # the cluster is gone: those who wait for trainings hear of it
                for line in self._ray.get(self._mail.collect.remote(), timeout=10):
                    say(line)
