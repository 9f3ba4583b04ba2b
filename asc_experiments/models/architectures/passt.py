"""PaSST (K. Koutini et al., Interspeech 2022; as CP-JKU's DCASE 2023 teacher), and its sizes by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from asc_experiments.base.errors import AscError
from asc_experiments.models.architecture import Architecture, NetworkSettings, register_architecture
from asc_experiments.models.frontend_shape import FrontendShape

if TYPE_CHECKING:
    from torch import Tensor, nn

SIZES: dict[str, tuple[int, int, int]] = {"s": (768, 12, 12), "xs": (384, 6, 6), "xxs": (192, 4, 4)}
"""Width, depth and heads of each named size; ``s`` is the published PaSST-S."""
_BLOCK = re.compile(r"blocks\.(\d+)\.")


class PaSSTSettings(NetworkSettings):
    """The size of a PaSST, its patchout, and the weights it starts from.

    Attributes:
        arch: the architecture's name.
        embed_dim: width of a token.
        depth: number of blocks.
        num_heads: attention heads per block; divides ``embed_dim``.
        patchout_frequency: rows of patches dropped in training.
        pretrained: the weights that training starts from; ``audioset`` needs the size ``s``.
    """

    arch: Literal["passt"] = "passt"
    embed_dim: int = Field(768, ge=8, le=1024)
    depth: int = Field(12, ge=1, le=24)
    num_heads: int = Field(12, ge=1, le=16)
    patchout_frequency: int = Field(6, ge=0, le=11)
    pretrained: Literal["none", "audioset"] = "none"

    @model_validator(mode="after")
    def _heads_divide_width(self) -> PaSSTSettings:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"embed_dim {self.embed_dim} is not a multiple of num_heads {self.num_heads}")
        return self

    @model_validator(mode="after")
    def _weights_fit(self) -> PaSSTSettings:
        width, depth, heads = SIZES["s"]
        if self.pretrained != "none" and (self.embed_dim, self.depth, self.num_heads) != (width, depth, heads):
            raise ValueError(
                f"pretrained {self.pretrained} needs embed_dim {width}, depth {depth} and num_heads {heads} (size s)"
            )
        return self


@register_architecture
class PaSSTArchitecture(Architecture):
    """PaSST, as the winner of the challenge trained it."""

    name = "passt"
    settings = PaSSTSettings
    repeated = "depth"
    frontend = FrontendShape(n_fft=1024, window=800, hop=320, mels=128)
    published: ClassVar = {
        "epochs": 25, "batch_size": 80, "learning_rate": 1e-5, "weight_decay": 1e-3,
        "warmup_epochs": 3, "rampdown_start": 3, "rampdown_epochs": 10, "last_factor": 0.01,
        "roll": 10_000, "dir_probability": 0.6, "fms_probability": 0.4, "fms_alpha": 0.4, "time_mask": 20,
    }  # fmt: skip
    evaluates_in_bfloat16 = True
    least_frames = 16  # one patch
    most_frames = 1_005  # 99 patches of 16 frames, 10 apart: the position embeddings of ten seconds
    evaluation_clips = 8  # it takes seconds for 32, and a thread would be idle at the end
    size_settings = ("embed_dim", "depth")
    classifier = "head.1.weight"
    head = "head"

    def build(self, n_classes: int, **settings: Any) -> nn.Module:
        """See :class:`~asc_experiments.models.passt.PaSST`."""
        from asc_experiments.models.passt import PaSST

        return PaSST(n_classes=n_classes, **settings)

    @property
    def named_sizes(self) -> Mapping[str, Mapping[str, Any]]:
        """Width, depth and heads of ``s``, ``xs`` and ``xxs``."""
        return {name: dict(zip(("embed_dim", "depth", "num_heads"), size, strict=True)) for name, size in SIZES.items()}

    def size(self, settings: Any) -> str:
        """Width × depth."""
        return f"{settings.embed_dim}x{settings.depth}"

    def infer_size(self, weights: Mapping[str, Tensor], given: Mapping[str, Any], where: object) -> dict[str, int]:
        """Width and depth, and the heads of a named size.

        Raises:
            AscError: if it is of no named size, and its heads, which no tensor tells, are not given.
        """
        blocks = [int(block[1]) for name in weights if (block := _BLOCK.match(name))]
        found = {"depth": 1 + max(blocks)} if blocks else {}
        if "cls_token" in weights:
            found["embed_dim"] = int(weights["cls_token"].shape[-1])
        size = (found.get("embed_dim"), found.get("depth"))
        heads = [number for width, depth, number in SIZES.values() if (width, depth) == size]
        if "num_heads" not in given and not heads and len(found) == 2:
            what = f"a PaSST {size[0]} wide and {size[1]} deep has no known number of heads, and no tensor tells it"
            raise AscError(where, what, "give it: --set num_heads=…")
        return found | ({"num_heads": heads[0]} if heads else {})
