"""Quantisation-aware fine-tuning: a few epochs in which every convolution computes with the values that int8 has.

B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
2018, section 3. Batch norm is folded before, so that what is trained is what is stored. Afterwards the network is
quantised like any other. (PyTorch's own ``torch.ao.quantization`` is announced to be deleted; torchao's pt2e, which
follows it, was not tried.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asc_experiments.base.progress import progress
from asc_experiments.distill import TrainingContext
from asc_experiments.models.folding import fold_batch_norm
from asc_experiments.training import EpochReport, Recipe, SceneNetwork, SoftTargets

M = TypeVar("M", bound=nn.Module)
RATE_FACTOR = 0.01
"""On the learning rate of the student's Recipe, about what its training ended with: the weights are to settle on a
grid. A higher one memorises the training clips, and regains no more of what int8 loses."""
_KERNEL, _ACTIVATION = 127, 255
"""The largest int8 of a kernel, whose smallest is its negative, and the largest uint8 of an activation."""
_NEW = 0.1
"""How much a batch's range counts beside that of all batches before."""


class Int8Conv2d(nn.Module):
    """A convolution whose kernel and input are rounded to what int8 and uint8 hold; gradients pass unrounded.

    Kernels have a scale per channel; of the input, lowest and highest value are averaged over batches.

    Args:
        conv: with a bias, trained further in place.
    """

    low: Tensor
    high: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.register_buffer("low", torch.tensor(torch.nan, device=conv.weight.device))
        self.register_buffer("high", torch.tensor(torch.nan, device=conv.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, in_channels, mels, frames)`` to ``(batch, out_channels, mels', frames')``."""
        conv = self.conv
        return F.conv2d(
            self._rounded(x),
            rounded_kernel(conv.weight),
            conv.bias,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
        )

    def _rounded(self, x: Tensor) -> Tensor:
        if self.training:
            low, high = torch.aminmax(x.detach())
            for known, seen in ((self.low, low.float().clamp(max=0)), (self.high, high.float().clamp(min=0))):
                known.copy_(torch.where(known.isnan(), seen, known.lerp(seen, _NEW)))
        scale = ((self.high - self.low) / _ACTIVATION).clamp(min=torch.finfo(torch.float32).tiny)
        zero = (-self.low / scale).round().int()
        return torch.fake_quantize_per_tensor_affine(x.float(), scale, zero, 0, _ACTIVATION)


def fine_tune(bench: TrainingContext, network: SceneNetwork, epochs: int, targets: SoftTargets | None) -> nn.Module:
    """Train a network further for int8, with its own Recipe's augmentation and batches, and what it learned from.

    The learning rate falls linearly from a hundredth of the Recipe's. The same network, clips and number of threads
    give the same result bit for bit on the CPU.

    Args:
        bench: the student's corpus and split.
        network: a convolutional one, in evaluation mode; it is not changed.
        epochs: how many.
        targets: its ensemble's logits, where it learned from any.

    Returns:
        The network without its frontend, batch norm folded, on the CPU.

    Raises:
        NotFiniteError: if the loss becomes infinite or not a number.
    """
    recipe = tuning_recipe(network.recipe, epochs)
    trainer = bench.trainer(recipe, targets)
    model = fold_batch_norm(network.model).to(bench.clips.device)
    for module, name, conv in _members(model, nn.Conv2d):
        setattr(module, name, Int8Conv2d(conv))
    trainer.train_instead(model)
    settings = recipe.optimisation
    trainer.optimiser = torch.optim.Adam(
        [*model.parameters(), *trainer.heads.parameters()],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    with progress(epochs, f"int8 fine-tuning {recipe.name}", "epochs") as advance:

        def tell(report: EpochReport) -> None:
            advance(note=f"loss {report.loss:.3f}")

        trainer.fit(bench.rows[0], tell)
    for module, name, rounding in _members(model, Int8Conv2d):
        setattr(module, name, rounding.conv)
    return model.cpu().eval()


def tuning_recipe(recipe: Recipe, epochs: int) -> Recipe:
    """A Recipe for a few more epochs: what it was, at a low learning rate that falls from the first one on."""
    changes = {
        "epochs": epochs,
        "learning_rate": RATE_FACTOR * recipe.optimisation.learning_rate,
        "warmup_epochs": 0,
        "rampdown_start": 0,
        "rampdown_epochs": epochs,
    }
    return recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update=changes)})


def rounded_kernel(kernel: Tensor) -> Tensor:
    """A kernel ``(out_channels, …)`` as int8 holds it; as onnxruntime rounds it too."""
    highest = kernel.detach().abs().amax(dim=tuple(range(1, kernel.ndim))).float()
    scale = (highest / _KERNEL).clamp(min=torch.finfo(torch.float32).tiny)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(kernel, scale, zero, 0, -_KERNEL, _KERNEL)


def _members(model: nn.Module, kind: type[M]) -> Iterator[tuple[nn.Module, str, M]]:
    """Every module of a kind, with the module that it is a member of and its name there."""
    for module in list(model.modules()):
        for name, member in list(module.named_children()):
            if isinstance(member, kind):
                yield module, name, member
