#!/bin/sh
# What:    torchinfo 1.8.0 with PyTorch 2.11.0: summary(network, input_size=…) between torch.manual_seed and a training.
# Guess:   counting a network in evaluation mode draws nothing: what is drawn after it is the same with it and without.
# Found:   the input of that size is random, from the global generator: every weight and every shuffle that is drawn
#          afterwards is another. With input_data=… nothing is drawn.
# Why it matters: a line that prints a network's size before it is trained gives another network for the same seed.
# Seen:    2026-11-30: counting_moves_the_seed: next number 0.3489; after counting by size 0.9351, by data 0.3489
. "$(dirname "$0")/venv.inc"
in_venv torchinfo==1.8.0 torch==2.11.0 numpy==2.4.6 <<'PYTHON'
import torch
import torchinfo
from torch import nn


def drawn(**given):
    torch.manual_seed(0)
    network = nn.Conv2d(1, 1, 3).eval()
    if given:
        torchinfo.summary(network, verbose=0, **given)
    return torch.rand(1).item()


plain, by_size, by_data = drawn(), drawn(input_size=(1, 1, 8, 8)), drawn(input_data=torch.ones(1, 1, 8, 8))
print(f"counting_moves_the_seed: next number {plain:.4f}; after counting by size {by_size:.4f}, by data {by_data:.4f}")
assert plain == by_data != by_size, "the behaviour has changed"
PYTHON
