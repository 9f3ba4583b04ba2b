"""Checkpoints: the whole state of a training after an epoch, so that one that was killed resumes where it was.

On the CPU it then ends bit for bit as if it had never been interrupted. One file per training::

    <cache>/checkpoints/<identity>.ckpt    a line naming the format, the digest of the rest, and the rest
    <cache>/locks/training-<identity>.lock

The rest is what :func:`torch.load` reads with ``weights_only=True``: tensors, numbers and JSON texts.
"""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from asc_experiments.base.errors import NotFiniteError, Problem
from asc_experiments.base.hashing import digest_bytes
from asc_experiments.base.progress import say
from asc_experiments.training.loop import Trainer

_FORMAT = b"asc checkpoint 1"
_DIGEST_LENGTH = 64
_UNUSABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, EOFError, pickle.UnpicklingError)


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes:
        curves: what is logged of it.
        validation: its Scorecard on held-out clips; empty where none are.
        seconds: how long it took.
        ended_ms: when it ended, in milliseconds since 1970.
    """

    curves: dict[str, float]
    validation: dict[str, float]
    seconds: float = 0.0
    ended_ms: int = 0


class Checkpoint:
    """The file that one training writes after every epoch.

    Args:
        path: of the file.
        about: what is trained, as JSON takes it; a file that says otherwise is not used.
        title: whose it is, in messages.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], title: str) -> None:
        self.path = path
        self.about = json.dumps(about, sort_keys=True)
        self.title = title
        self._has_complained = False

    def resume(self, make: Callable[[], Trainer]) -> tuple[Trainer, list[EpochRecord]]:
        """A Trainer as the file left it, and what was reported of its epochs; a new one where there is no whole file.

        Args:
            make: makes the Trainer that begins at the first epoch.
        """
        trainer = make()
        try:
            history = self._restore(trainer)
        except FileNotFoundError:
            return trainer, []
        except _UNUSABLE as error:
            say(Problem(self.title, f"its checkpoint cannot be used ({error})", "begins again").line())
            return make(), []
        say(f"{self.title}: resumes after epoch {len(history)} of {trainer.recipe.optimisation.epochs}")
        return trainer, history

    def save(self, trainer: Trainer, history: list[EpochRecord]) -> None:
        """Replace the file. Where it cannot be written, the training continues without, and says so once."""
        content = io.BytesIO()
        reported = json.dumps([vars(record) for record in history])
        torch.save({"about": self.about, "history": reported, **_state(trainer)}, content)
        try:
            self._write(content.getvalue())
        except OSError as error:
            if not self._has_complained:
                say(f"{self.title}: no checkpoint can be written ({error.strerror}); continues without")
            self._has_complained = True

    def delete(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self.path.unlink()

    def _write(self, content: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                file.write(b"%s\n%s\n" % (_FORMAT, digest_bytes(content, _DIGEST_LENGTH).encode()))
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)

    def _restore(self, trainer: Trainer) -> list[EpochRecord]:
        """Bring a new Trainer to the file's state; raises one of ``_UNUSABLE``, maybe midway, where it does not fit."""
        file_format, _, rest = self.path.read_bytes().partition(b"\n")
        digest, _, content = rest.partition(b"\n")
        if file_format != _FORMAT or digest != digest_bytes(content, _DIGEST_LENGTH).encode():
            raise ValueError("it is damaged")
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if state["about"] != self.about:
            raise ValueError("it is another training's")
        history = [EpochRecord(**record) for record in json.loads(state["history"])]
        if state["epochs_done"] != len(history):
            raise ValueError("it does not hold every epoch")
        _set_state(trainer, state)
        return history


@contextmanager
def open_checkpoint(
    cache: Path,
    identity: str,
    about: Mapping[str, Any],
    title: str,
    given_up: tuple[type[BaseException], ...] = (),
) -> Iterator[Checkpoint | None]:
    """The checkpoint of a training, for a block that ends when the training's results are safe elsewhere.

    The file is deleted when the block ends well, or with an error after which nobody resumes. Anything else, above all
    a kill, leaves it for the next attempt.

    Args:
        cache: folder of checkpoints and locks.
        identity: names the training: a digest of everything that decides how it comes out.
        about: as :class:`Checkpoint` takes it.
        title: as :class:`Checkpoint` takes it.
        given_up: exceptions after which nobody resumes, besides a loss that is not finite.

    Yields:
        None where another process is training the same at this moment: this one trains without.
    """
    lock = _lock(cache / "locks" / f"training-{identity}.lock", title)
    if lock is None:
        yield None
        return
    checkpoint = Checkpoint(cache / "checkpoints" / f"{identity}.ckpt", {"identity": identity, **about}, title)
    ends_for_good: tuple[type[BaseException], ...] = (NotFiniteError, *given_up)
    try:
        yield checkpoint
    except ends_for_good:
        checkpoint.delete()
        raise
    else:
        checkpoint.delete()
    finally:
        lock.release()


def _lock(path: Path, title: str) -> FileLock | None:
    """The lock, held; None where another process holds it or it cannot be made."""
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        say(f"{title}: no checkpoint can be written ({error.strerror}); continues without")
        return None
    return lock


def _state(trainer: Trainer) -> dict[str, Any]:
    """Everything that decides how a training continues."""
    device = trainer.clips.device
    return {
        "epochs_done": trainer.epochs_done,
        "model": trainer.network.model.state_dict(),
        "heads": trainer.heads.state_dict(),
        "optimiser": trainer.optimiser.state_dict(),
        "numpy_rng": json.dumps(trainer.rng.bit_generator.state),
        "torch_rng": torch.get_rng_state(),  # PaSST draws its patchout from it
        "cuda_rng": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def _set_state(trainer: Trainer, state: Mapping[str, Any]) -> None:
    trainer.network.model.load_state_dict(state["model"])
    trainer.heads.load_state_dict(state.get("heads", {}))  # an earlier version's has none
    trainer.optimiser.load_state_dict(state["optimiser"])
    trainer.rng.bit_generator.state = json.loads(state["numpy_rng"])
    torch.set_rng_state(state["torch_rng"])
    if state["cuda_rng"] is not None and trainer.clips.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_rng"], trainer.clips.device)
    trainer.epochs_done = state["epochs_done"]
