"""Parameters and multiply-accumulate operations of a network, through ptflops.

The DCASE 2023 and 2024 challenges allow 128 kB of parameters and 30 million MACs for one second of sound.
"""

from __future__ import annotations

import contextlib
import copy
import io
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Complexity:
    """What a network costs: parameters, and MACs for one input."""

    parameters: int
    macs: int


def measure_complexity(model: nn.Module, mels: int, frames: int) -> Complexity:
    """Count a network's parameters and its MACs for one input of ``(1, 1, mels, frames)``.

    Raises:
        RuntimeError: if ptflops cannot count this network.
    """
    from ptflops import get_model_complexity_info
    from ptflops.aten_engine import FlopCounterMode

    _let_no_compiler_be_loaded(FlopCounterMode)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        macs, _ = get_model_complexity_info(
            copy.deepcopy(model).eval(), (1, mels, frames), backend="aten", as_strings=False,
            print_per_layer_stat=False, verbose=False,
        )  # fmt: skip
    if macs is None:
        raise RuntimeError(f"ptflops could not count the operations: {printed.getvalue().strip()}")
    return Complexity(sum(p.numel() for p in model.parameters()), int(macs))


def _let_no_compiler_be_loaded(counter: type) -> None:
    """Tell PyTorch that this mode needs no protection from ``torch.compile``.

    PyTorch loads the whole compiler, which takes more than a second, to switch it off for the mode's method, and notes
    on the method that it did. With the note there it does not look. Nothing is compiled here in either case.
    """
    method = getattr(counter.__dict__.get("__torch_dispatch__"), "__wrapped__", None)
    if method is not None and not hasattr(method, "__dynamo_disable"):
        setattr(method, "__dynamo_disable", method)
