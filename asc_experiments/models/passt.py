"""PaSST: the audio spectrogram transformer trained with patchout.

K. Koutini et al., "Efficient Training of Audio Transformers with Patchout", Interspeech 2022, section 2: overlapping
16×16 patches at stride 10, separate position embeddings for time and frequency, class and distillation tokens,
structured patchout. State dicts carry the published names, so that ``passt_s_swa_p16_128_ap476`` and the DCASE 2023
teachers load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_PATCH, _STRIDE = 16, 10
_FREQUENCY_PATCHES, _TIME_PATCHES = 12, 99
_MLP_RATIO = 4
MOST_WRITTEN_OUT = 400
"""Up to so many tokens attention is written out as products of matrices; 110 are a second of sound, 1,190 ten seconds.

On a processor that multiplies bfloat16 that took a tenth of the fused kernel's time at 110 tokens and four times as
long at 1,200; between the two measurements equal times are to be expected at some 500.
"""


class Attention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(batch, tokens, width)`` to the same shape."""
        batch, length, width = tokens.shape
        qkv = self.qkv(tokens).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = attend(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, length, width))


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention, each ``(batch, heads, tokens, width)``.

    On a processor, in bfloat16, products of matrices are faster than PyTorch's own attention while there are few tokens
    (:data:`MOST_WRITTEN_OUT`), above all their gradient; of many, the scores do not fit into the cache any more.
    """
    is_short = max(query.shape[-2], key.shape[-2]) <= MOST_WRITTEN_OUT
    if query.device.type != "cpu" or query.dtype != torch.bfloat16 or not is_short:
        return F.scaled_dot_product_attention(query, key, value)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    return scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype) @ value


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, _MLP_RATIO * width)
        self.activation = nn.GELU()
        self.fc2 = nn.Linear(_MLP_RATIO * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(batch, tokens, width)`` to the same shape."""
        return self.fc2(self.activation(self.fc1(tokens)))


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(batch, tokens, width)`` to the same shape."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbed(nn.Module):
    """Overlapping patches, each projected to one token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, _PATCH, _STRIDE)

    def forward(self, features: Tensor) -> Tensor:
        """``(batch, 1, mels, frames)`` to ``(batch, width, frequency patches, time patches)``.

        Clips of one patch in time are computed in float32 on a CPU: where the processor multiplies bfloat16 in tiles
        (AMX), oneDNN's convolution to a width of one gives numbers that are none (seen with PyTorch 2.11.0).
        """
        if features.device.type == "cpu" and features.shape[-1] < _PATCH + _STRIDE:
            with torch.autocast("cpu", enabled=False):
                return self.proj(features.float())
        return self.proj(features)


class PaSST(nn.Module):
    """The PaSST network.

    Args:
        n_classes: number of scenes.
        embed_dim: width of a token.
        depth: number of transformer blocks.
        num_heads: attention heads per block; must divide ``embed_dim``.
        patchout_frequency: rows of patches dropped at random in training (structured patchout, section 2.2).

    Raises:
        ValueError: if the heads do not divide the width, or patchout would drop every row.
    """

    def __init__(
        self, n_classes: int = 10, embed_dim: int = 768, depth: int = 12, num_heads: int = 12,
        patchout_frequency: int = 6,
    ) -> None:  # fmt: skip
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}")
        if not 0 <= patchout_frequency < _FREQUENCY_PATCHES:
            raise ValueError(f"patchout_frequency must lie in 0…{_FREQUENCY_PATCHES - 1}, not {patchout_frequency}")
        self.patchout_frequency = patchout_frequency
        self.patch_embed = PatchEmbed(embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.new_pos_embed = nn.Parameter(torch.zeros(1, 2, embed_dim))
        self.freq_new_pos_embed = nn.Parameter(torch.zeros(1, embed_dim, _FREQUENCY_PATCHES, 1))
        self.time_new_pos_embed = nn.Parameter(torch.zeros(1, embed_dim, 1, _TIME_PATCHES))
        self.blocks = nn.Sequential(*(Block(embed_dim, num_heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(embed_dim), nn.Linear(embed_dim, n_classes))
        # Part of the published state dicts; unused, since the published network reads both tokens through `head`.
        self.head_dist = nn.Linear(embed_dim, n_classes)
        self.apply(_initialise)
        for embedding in (self.cls_token, self.dist_token, self.new_pos_embed):
            nn.init.trunc_normal_(embedding, std=0.02)
        for embedding in (self.freq_new_pos_embed, self.time_new_pos_embed):
            nn.init.trunc_normal_(embedding, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Log-mels ``(batch, 1, 128, frames)``, 16 to 1,005 frames, to logits ``(batch, n_classes)``.

        Raises:
            ValueError: if the features do not fit the position embeddings.
        """
        grid = self._positions(self.patch_embed(features))
        if self.training and self.patchout_frequency:
            kept = torch.randperm(grid.shape[2])[: grid.shape[2] - self.patchout_frequency].sort().values
            grid = grid[:, :, kept.to(grid.device, non_blocking=True), :]
        tokens = grid.flatten(2).transpose(1, 2)
        heads = torch.cat((self.cls_token, self.dist_token), dim=1) + self.new_pos_embed
        tokens = torch.cat((heads.expand(tokens.shape[0], -1, -1), tokens), dim=1)
        tokens = self.norm(self.blocks(tokens))
        return self.head((tokens[:, 0] + tokens[:, 1]) / 2)

    def _positions(self, grid: Tensor) -> Tensor:
        """Add the position embeddings to ``(batch, width, frequency, time)``; training starts them at a random time."""
        rows, columns = grid.shape[2:]
        if rows != _FREQUENCY_PATCHES or columns > _TIME_PATCHES:
            raise ValueError("PaSST takes 128 mels and at most 1,005 frames (10 s)")
        spare = _TIME_PATCHES - columns
        first = int(torch.randint(spare + 1, (1,))) if self.training and spare else 0
        return grid + self.time_new_pos_embed[..., first : first + columns] + self.freq_new_pos_embed


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
