#!/bin/sh
# What:    ptflops 0.7.5 with PyTorch 2.11.0, get_model_complexity_info(backend="aten"), called within torch.no_grad() and
#          within torch.inference_mode().
# Guess:   the same count: neither mode changes which operators run.
# Found:   in inference mode 0 MACs, without a warning, for a network of 1.3 M; the other backend ("pytorch") counts alike in
#          both. A network that is counted inside a decorated evaluation loop fits every limit.
# Why it matters: a challenge limits MACs, and evaluation code is in inference mode.
# Seen:    2026-11-30: no_macs_in_inference_mode: aten: no_grad 1331290, inference_mode 0; pytorch: 1863770, 1863770
. "$(dirname "$0")/venv.inc"
in_venv ptflops==0.7.5 torch==2.11.0 <<'PYTHON'
import ptflops
import torch
from torch import nn

network = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
).eval()


def macs(mode, backend):
    with mode():
        return ptflops.get_model_complexity_info(
            network, (1, 256, 65), as_strings=False, print_per_layer_stat=False, backend=backend
        )[0]


counts = {
    backend: [macs(mode, backend) for mode in (torch.no_grad, torch.inference_mode)] for backend in ("aten", "pytorch")
}
print(
    "no_macs_in_inference_mode: aten: no_grad {}, inference_mode {}; pytorch: {}, {}".format(
        *counts["aten"], *counts["pytorch"]
    )
)
assert counts["aten"][1] == 0 < counts["aten"][0] and counts["pytorch"][0] == counts["pytorch"][1], "the behaviour has changed"
PYTHON
