#!/bin/sh
# What:    PyTorch 2.11.0, torch.compile on a processor, of a function that returns the cross-entropy of a convolutional
#          network that ends, as CP-Mobile does, with a 1x1 convolution, AdaptiveAvgPool2d(1) and Flatten.
# Guess:   the loss can be compiled with the network or without it: the gradients are those of eager mode either way.
# Found:   in channels-last format the compiled loss comes, and its backward pass raises an UnboundLocalError out of the
#          generated code. With the loss outside, in the other format, or with mean((2, 3)) for the pooling, it is right.
# Why it matters: compiling "the step" with its loss is the example that tutorials give, and channels-last the advice for
#          processors; together they end a training of this kind of network, after the minute that compiling takes.
# Seen:    2026-12-01: compiled_loss_of_pooled_maps: with the loss: UnboundLocalError; without, or pooled by mean, or channels first: the gradients of eager mode
. "$(dirname "$0")/venv.inc"
in_venv torch==2.11.0 numpy==2.4.6 <<'PYTHON'
import logging

import torch
from torch import nn
from torch.nn import functional as F

logging.disable(logging.WARNING)
torch.manual_seed(0)
labels, features = torch.randint(0, 10, (8,)), torch.randn(8, 8, 6, 5)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def gradient(pool, layout, compiled, with_loss):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(8, 10, 1, bias=False), *pool).to(memory_format=layout)
    x = features.to(memory_format=layout)

    def called(x):
        logits = model(x)
        return F.cross_entropy(logits, labels) if with_loss else logits

    result = (torch.compile(called) if compiled else called)(x)
    (result if with_loss else F.cross_entropy(result, labels)).backward()
    return model[0].weight.grad


def outcome(pool, layout, with_loss):
    eager = gradient(pool, layout, False, with_loss)
    torch._dynamo.reset()
    try:
        compiled = gradient(pool, layout, True, with_loss)
    except UnboundLocalError as error:
        return type(error).__name__
    return "the gradients of eager mode" if torch.allclose(eager, compiled, atol=1e-6) else "others"


pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten()
failed = outcome(pooled, torch.channels_last, True)
others = {
    outcome(pooled, torch.channels_last, False),
    outcome((Mean(),), torch.channels_last, True),
    outcome(pooled, torch.contiguous_format, True),
}
(right,) = others
print(f"compiled_loss_of_pooled_maps: with the loss: {failed}; without, or pooled by mean, or channels first: {right}")
assert failed == "UnboundLocalError" and right == "the gradients of eager mode", "the behaviour has changed"
PYTHON
