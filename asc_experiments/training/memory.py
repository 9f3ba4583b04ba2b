"""A GPU whose memory is full: an error of one line that says what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from asc_experiments.base.errors import AscError

_FULL = "out of memory"
_WANTED = re.compile(r"Tried to allocate ([\d.]+ [KMGT]iB)")
_REMEDY = (
    "lower batch_size, or have fewer trainings share the GPU (--workers, --gpus-per-training); what else uses it, "
    "nvidia-smi shows"
)


@contextmanager
def within_memory(where: str) -> Iterator[None]:
    """A block of work on the device that trains.

    PyTorch's allocator says that memory is full by an error of its own; what allocates beside it, such as the context
    of a process that has just begun, by one whose text tells.

    Args:
        where: what is worked on, for the error.

    Raises:
        AscError: if the memory of a GPU is full.

    Examples:
        >>> with within_memory("student cp_mobile-32-dirfms-s0"):
        ...     trainer.train_epoch(rows)
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and _FULL not in str(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold tensors, and the next training needs the room
        wanted = _WANTED.search(str(error))
        more = f" ({wanted[1]} more were asked for)" if wanted else ""
        raise AscError(where, f"does not fit into the GPU's memory{more}", _REMEDY) from None
