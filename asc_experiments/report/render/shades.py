"""Colours of the cells of a map, and the ink that can be read on them (WCAG 2.1, contrast of 4.5 to 1 at least)."""

from __future__ import annotations

from collections.abc import Sequence

CIVIDIS = ("#00204c", "#414d6b", "#7c7b78", "#bcae6c", "#ffea46")
"""Dark to bright (Nuñez, Anderton and Renslow, PLoS ONE 2018): the same to every kind of colour vision."""
ORANGES = ("#fff1e2", "#fdc38d", "#f4803c", "#c54507", "#7f2704")
"""Pale to dark (after ColorBrewer's Oranges): for a second measure beside the first."""
BLACK, WHITE = "#000000", "#ffffff"


def shade(value: float, low: float, high: float, colours: Sequence[str]) -> str:
    """The colour of a value on a scale from low to high, ``#rrggbb``; the middle one where all values are equal."""
    part = 0.5 if high <= low else min(1.0, max(0.0, (value - low) / (high - low)))
    at = part * (len(colours) - 1)
    first = min(int(at), len(colours) - 2)
    ends = zip(_channels(colours[first]), _channels(colours[first + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - first)):02x}" for a, b in ends)


def ink_on(colour: str) -> str:
    """Black or white, whichever stands out more: one of them always reaches 4.5 to 1."""
    return max((BLACK, WHITE), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours ``#rrggbb``, from 1 to 21."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _parts(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(colour: str) -> list[float]:
    return [channel / 255 for channel in _channels(colour)]


def _channels(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
