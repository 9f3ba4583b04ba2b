"""The device that a test is about: a GPU with ``-m gpu``, else the processor, on which the test itself is tried."""

import pytest
import torch


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where a test trains and computes."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU that PyTorch finds; make gpu")
    return torch.device(request.param)
