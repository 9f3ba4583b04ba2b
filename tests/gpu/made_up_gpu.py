"""A GPU that is not there, for tests of what waits for it and of what lies where.

On it are PyTorch's fake tensors, which have a shape, a type and a device, and no values: an operation on tensors of two
devices raises, and so does whatever would have to know a value. What lies on the host is computed as always.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA = torch.device("cuda", 0)


@dataclass(frozen=True)
class Copy:
    """Something that was sent from one device to another.

    Attributes:
        to: the type of the device.
        size: in bytes.
        waits: whether the host waits until it has arrived.
    """

    to: str
    size: int
    waits: bool


class MadeUpGpu(TorchDispatchMode):
    """See the module.

    Attributes:
        copies: what was sent there or back.
        parameters: whose gradients are to be made up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[Copy] = []
        self.parameters: list[torch.nn.Parameter] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not any(map(_is_of_gpu, tree_leaves((args, kwargs)))):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        made = func(*args, **kwargs)
        if (name := func.overloadpacket.__name__) in ("_to_copy", "copy_"):
            source, target = (args[0], made) if name == "_to_copy" else (args[1], args[0])
            if source.device.type != target.device.type:
                is_free = bool(kwargs.get("non_blocking", args[2] if len(args) > 2 else False))
                self.copies.append(Copy(target.device.type, source.numel() * source.element_size(), not is_free))
        return made


def _is_of_gpu(given: object) -> bool:
    return isinstance(given, FakeTensor) or (isinstance(given, torch.device) and given.type == CUDA.type)


@contextmanager
def made_up_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeUpGpu]:
    """Within the block there is one, which computes in bfloat16 where a real one would.

    Gradients are zeros there: PyTorch's own engine for them asks for the driver.
    """

    def backward(loss: torch.Tensor) -> None:
        for parameter in made.parameters:
            parameter.grad = torch.zeros_like(parameter)

    with monkeypatch.context() as patch, FakeTensorMode(allow_non_fake_inputs=True), MadeUpGpu() as made:
        patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
        patch.setattr(torch.Tensor, "backward", backward)
        yield made
