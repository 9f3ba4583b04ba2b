#!/bin/sh
# What:    torchinfo 1.8.0 with PyTorch 2.11.0: total_mult_adds of a convolution with batch norm, and of the same with the
#          norm folded into the convolution by torch.nn.utils.fusion. (The DCASE challenges of 2024 and 2025 count so.)
# Guess:   folding takes a layer away and adds nothing but a bias: the count falls, or stays.
# Found:   it rises. A batch norm counts its weights and biases once, whatever the size of the picture; the bias that folding
#          gives the convolution counts at every position of the output: 16 more for the norm, and 32,000 for the bias.
# Why it matters: what a deployed network really computes may break a limit that the trained one keeps to: the challenges'
#          own baseline has 29,419,156 MACs as trained and 30,216,768 folded, where 30,000,000 are allowed.
# Seen:    2026-11-30: folded_norm_costs_macs: convolution 288000, with batch norm 288016 (+16), folded 320000 (+32000)
. "$(dirname "$0")/venv.inc"
in_venv torchinfo==1.8.0 torch==2.11.0 numpy==2.4.6 <<'PYTHON'
import copy

import torch
import torchinfo
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

convolution, norm = nn.Conv2d(1, 8, 3, padding=1, bias=False).eval(), nn.BatchNorm2d(8).eval()
norm.running_mean.uniform_(-1, 1)
trained, folded = nn.Sequential(convolution, norm), fuse_conv_bn_eval(copy.deepcopy(convolution), norm)
picture = torch.randn(1, 1, 40, 100)
assert torch.allclose(trained(picture), folded(picture), atol=1e-5)
alone, before, after = (
    torchinfo.summary(each, input_data=picture, verbose=0).total_mult_adds for each in (convolution, trained, folded)
)
print(
    f"folded_norm_costs_macs: convolution {alone}, with batch norm {before} (+{before - alone}), "
    f"folded {after} (+{after - alone})"
)
assert (alone, before, after) == (288_000, 288_016, 320_000), "the behaviour has changed"
PYTHON
