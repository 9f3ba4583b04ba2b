#!/bin/sh
# What:    PyTorch 2.11.0, autocast to bfloat16 on a processor, of a teacher that answers four times in one autocast
#          block, as with test-time windows or several views of a batch: trainable, frozen by requires_grad_(False), or
#          in inference mode.
# Guess:   autocast rounds a weight once per block, keeps it, and a frozen teacher, whose weights cannot change, is the
#          easiest case of it.
# Found:   only weights that require a gradient are kept. Those of a frozen teacher, and of any network in inference
#          mode, are rounded anew in each of the four calls; under no_grad alone they are kept.
# Why it matters: freezing the teacher and inference mode are the advice for distillation, and a transformer has 85
#          million weights to round for each batch.
# Seen:    2026-12-01: frozen_teacher_is_cast_again: weights rounded in four calls: trainable 1, under no_grad 1, frozen 4, in inference mode 4
. "$(dirname "$0")/venv.inc"
in_venv torch==2.11.0 numpy==2.4.6 <<'PYTHON'
import contextlib
import logging

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

logging.disable(logging.WARNING)
WIDE = [64, 32]  # of the weight alone


def roundings(frozen=False, mode=contextlib.nullcontext):
    teacher, batch = nn.Linear(WIDE[1], WIDE[0]), torch.randn(8, WIDE[1])
    teacher.requires_grad_(not frozen)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        with mode(), torch.autocast("cpu", torch.bfloat16):
            for _ in range(4):
                teacher(batch)
    of_weights = [each for each in seen.events() if each.name == "aten::_to_copy" and each.input_shapes[0] == WIDE]
    return len(of_weights)


found = roundings(), roundings(mode=torch.no_grad), roundings(frozen=True), roundings(mode=torch.inference_mode)
print(
    "frozen_teacher_is_cast_again: weights rounded in four calls: "
    "trainable {}, under no_grad {}, frozen {}, in inference mode {}".format(*found)
)
assert found == (1, 1, 4, 4), "the behaviour has changed"
PYTHON
