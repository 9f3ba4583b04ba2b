"""A full GPU is an error of one line, and what did not fit is let go."""

import weakref
from contextlib import suppress

import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.training.memory import within_memory

ALLOCATOR = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 139.81 GiB of which 3.69 MiB is "
    "free. Process 1 has 139.80 GiB memory in use."
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError(ALLOCATOR), "does not fit into the GPU's memory (20.00 MiB more were asked for); "),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors"), "does not fit into the GPU's memory; "),
    ],
)
def test_full_memory_is_told_in_one_line_with_what_to_do(error: RuntimeError, told: str) -> None:
    with pytest.raises(AscError) as raised, within_memory("student x"):
        raise error
    assert raised.value.line().startswith(f"student x: {told}lower batch_size, or have fewer trainings share the GPU")
    assert "\n" not in raised.value.line()


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory"), AscError("a", "b")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, within_memory("student x"):
        raise error
    assert raised.value is error


def test_error_that_is_kept_keeps_no_tensor() -> None:
    """A driver keeps the error of a trial, whose tensors would leave no room for the next one."""
    held: list[weakref.ref[torch.Tensor]] = []

    def step() -> None:
        activations = torch.zeros(4)
        held.append(weakref.ref(activations))
        raise torch.OutOfMemoryError(ALLOCATOR)

    kept: AscError | None = None
    with suppress(KeyError):
        try:
            with within_memory("student x"):
                step()
        except AscError as error:
            kept = error
    assert kept is not None
    assert held[0]() is None
