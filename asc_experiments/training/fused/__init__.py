"""A convolutional network's training step on a processor, with what lies between its matrix products fused.

PyTorch goes through a block's largest arrays again and again in a step: for the mean and the variance, to normalise,
for ReLU, to filter, and as often again backwards; and a training on a processor waits for memory. Here a norm, a ReLU,
a depthwise convolution, the next norm and the next ReLU are one operation, which keeps three rows of an image in the
first cache, and so are a block's last norm, its shortcut, its response normalisation and its ReLU. What is learned is
the same: sums and products are float32, what is stored is what the network computes in, float32 or bfloat16.

The operations are C++ (:mod:`~asc_experiments.training.fused.library` compiles them for this processor, in seconds,
once); where there is no compiler, a network is trained by PyTorch's own, layer by layer, in twice the time, and so is
every network on a processor without AVX-512, where nothing would be gained.
"""

from __future__ import annotations

from asc_experiments.training.fused.library import fused_training
from asc_experiments.training.fused.network import fuse

__all__ = ["fuse", "fused_training"]
