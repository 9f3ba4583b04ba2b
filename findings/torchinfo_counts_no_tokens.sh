#!/bin/sh
# What:    torchinfo 1.8.0 with PyTorch 2.11.0: total_mult_adds of layers that are applied to a sequence of tokens. (The
#          DCASE challenges of 2024 and 2025 count the MACs of submissions by it.)
# Guess:   a Linear layer on 100 tokens counts 100 times; of nn.MultiheadAttention the four projections are counted, and
#          the products of queries, keys and values perhaps not.
# Found:   Linear counts its weights and biases once, whatever the number of tokens: 1,056 where 102,400 are done.
#          nn.MultiheadAttention counts 0. So a transformer's count is about its parameters, and below a convolutional
#          network's that does far less. A Conv2d is counted per position, with its bias.
# Why it matters: the same rule counts both, and a limit of 30 million MACs says nothing of a transformer.
# Seen:    2026-11-30: torchinfo_counts_no_tokens: Linear on 1 and 100 tokens: 1056 and 1056; attention over 100 tokens: 0; Conv2d on 100 positions: 58400
. "$(dirname "$0")/venv.inc"
in_venv torchinfo==1.8.0 torch==2.11.0 numpy==2.4.6 <<'PYTHON'
import torchinfo
from torch import nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.of = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x):
        return self.of(x, x, x, need_weights=False)[0]


def counted(module, *shape):
    return torchinfo.summary(module.eval(), shape, verbose=0).total_mult_adds


one, hundred = counted(nn.Linear(32, 32), 1, 1, 32), counted(nn.Linear(32, 32), 1, 100, 32)
attention = counted(Attention(), 1, 100, 32)
convolution = counted(nn.Conv2d(8, 8, 3, padding=1), 1, 8, 10, 10)
print(
    f"torchinfo_counts_no_tokens: Linear on 1 and 100 tokens: {one} and {hundred}; "
    f"attention over 100 tokens: {attention}; Conv2d on 100 positions: {convolution}"
)
assert (one, hundred, attention, convolution) == (1056, 1056, 0, 58_400), "the behaviour has changed"
PYTHON
