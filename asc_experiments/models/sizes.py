"""The sizes of PaSST by name."""

from __future__ import annotations

SIZES: dict[str, tuple[int, int, int]] = {"s": (768, 12, 12), "xs": (384, 6, 6), "xxs": (192, 4, 4)}
"""Width, depth and heads of each named size; ``s`` is the published PaSST-S."""
