"""A network that does not fit into a GPU's memory ends a command with one line and exit code 2."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from asc_experiments.training import Trainer


@contextmanager
def little_memory(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU of which this process may have a part that is too small; on a processor a step says what PyTorch would."""
    if device.type == "cpu":

        def full(*_: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity")

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_forward", full)
            yield
        return
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 400 * 2**20 / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


@pytest.mark.parametrize("command", ["teacher", "student"])
def test_network_that_does_not_fit_is_one_line(
    device: torch.device, command: str, asc: Callable, synth_corpus: Path, workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    arch = ("--arch", "cp_mobile") if command == "teacher" else ()
    large = ("--set", "base_channels=128", "--set", "batch_size=100", "--epochs", 1, "--augment", "none")
    with little_memory(device, monkeypatch):
        result = asc(command, "train", *arch, "--corpus", synth_corpus, "--workspace", workspace, *large)
    assert result.code == 2, result.err
    assert result.out == ""
    last = result.err.splitlines()[-1]
    assert last.startswith("error: cp_mobile-128-none-s0: does not fit into the GPU's memory (")
    assert "lower batch_size" in last
    assert "Traceback" not in result.err
