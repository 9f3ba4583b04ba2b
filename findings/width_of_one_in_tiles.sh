#!/bin/sh
# What:    PyTorch 2.11.0 (oneDNN) on a processor that multiplies bfloat16 in tiles (amx_bf16): a convolution under
#          autocast from one channel to 16, of 16 × 16 with a stride of 10, as a patch embedding of spectrograms is, whose
#          output is one column wide: a clip of 25 frames.
# Guess:   as for longer clips, the result differs from float32 by the rounding of bfloat16, a few thousandths.
# Found:   it is NaN, infinite, or far off, differently from run to run; with two columns (26 frames) it is right, and
#          so it is with ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16.
# Why it matters: a spectrogram transformer on clips of a quarter of a second learns nothing there, and well elsewhere.
# Seen:    2026-11-30: width_of_one_in_tiles: wrong results in 20: 20 of one column, 0 of two columns
. "$(dirname "$0")/venv.inc"
in_venv torch==2.11.0 numpy==2.4.6 <<'PYTHON'
import torch

if not torch.cpu.get_capabilities().get("amx_bf16"):
    print("width_of_one_in_tiles: not run, as this processor has no amx_bf16")
    raise SystemExit
torch.manual_seed(0)
patches = torch.nn.Conv2d(1, 16, 16, stride=10)


def wrong(frames):
    """In how many of 20 convolutions a value is further from float32's than bfloat16's rounding explains."""
    count = 0
    for _ in range(20):
        clip = torch.randn(20, 1, 128, frames)
        with torch.no_grad():
            exact = patches(clip)
            with torch.autocast("cpu", torch.bfloat16):
                found = patches(clip).float()
        count += not bool(((found - exact).abs() < 0.05).all())
    return count


one, two = wrong(25), wrong(26)
print(f"width_of_one_in_tiles: wrong results in 20: {one} of one column, {two} of two columns")
assert one > 10 and two == 0, "the behaviour has changed"
PYTHON
