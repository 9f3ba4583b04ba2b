"""Embeddings: what a network's head makes logits of, heard while the network computes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from asc_experiments.base.errors import AscError
from asc_experiments.models.architectures import ARCHITECTURES

_VECTORS, _MAPS = 2, 4
_CORRECT = "correct the head of its architecture"


def head_of(arch: str, where: str) -> str:
    """The name of the module that makes logits of an architecture's embedding.

    Args:
        arch: the architecture's name.
        where: who asks for embeddings, for the error.

    Raises:
        AscError: if the architecture does not say which.
    """
    if head := ARCHITECTURES[arch].head:
        return head
    having = ", ".join(name for name, each in ARCHITECTURES.items() if each.head)
    what = f"architecture '{arch}' has no embedding: it does not say which module is its head"
    raise AscError(where, what, f"take one that does ({having}), or loss kl")


def is_listened_to(module: nn.Module) -> bool:
    """Whether somebody has hooks in it, which may also compute its weights: they are called by modules alone."""
    return any(
        each._forward_hooks or each._forward_pre_hooks or each._backward_hooks or each._backward_pre_hooks
        for each in module.modules()
    )


@contextmanager
def hearing(model: nn.Module, head: str) -> Iterator[Callable[[], Tensor]]:
    """Within the block, what is called gives the embeddings of the clips that this thread took through a network last.

    Args:
        model: the network; it may be folded.
        head: the name of a module of it, as :func:`head_of` gives it. What that takes is ``(batch, dims)``, or
            ``(batch, dims, mels, frames)``, of which the mean over mels and frames is the embedding.

    Yields:
        What gives ``(batch, dims)`` float32, with the gradient where there is one.

    Raises:
        AscError: if there is no such module, or it takes something else.
    """
    heard = threading.local()

    def hear(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        heard.last = given[0]

    def embeddings() -> Tensor:
        last: Tensor | None = getattr(heard, "last", None)
        if last is None or last.ndim not in (_VECTORS, _MAPS):
            took = "nothing" if last is None else f"{last.ndim} dimensions"
            raise AscError(f"head '{head}'", f"took {took}, not (batch, dims) or (batch, dims, mels, frames)", _CORRECT)
        return last.float().mean(dim=(2, 3)) if last.ndim == _MAPS else last.float()

    try:
        module = model.get_submodule(head)
    except AttributeError:
        raise AscError(f"head '{head}'", f"is no module of {type(model).__name__}", _CORRECT) from None
    handle = module.register_forward_pre_hook(hear)
    try:
        yield embeddings
    finally:
        handle.remove()
