"""What all charts share: names made harmless, colours by role, axes with titles.

A colour is the name of a role, such as ``var(--c1)``; the page gives it a value that suits light or dark. They are from
the palette of Okabe and Ito, which people with any colour vision can tell apart; no two series differ by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Figure = dict[str, Any]
Trace = dict[str, Any]

STUDENT, TEACHER, THIRD, FOURTH = "var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)"
MUTED, INK = "var(--muted)", "var(--ink)"
SERIES = (STUDENT, TEACHER, THIRD, FOURTH, "var(--c5)", "var(--c6)")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")
_LONGEST = 60
_ROW_PX = 26


def safe(name: object, longest: int = _LONGEST) -> str:
    """A name as plotly shows it: plotly reads its texts as a kind of HTML.

    Args:
        name: any text.
        longest: in characters; longer ones are cut in the middle.
    """
    text = " ".join(str(name).split())
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def lines(*parts: object) -> str:
    """What a point says when it is pointed at: a line each, without empty ones."""
    return "<br>".join(safe(part, 120) for part in parts if part not in ("", None))


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its title."""
    return {"title": {"text": title}, "automargin": True, **more}


def categories(title: str, names: Sequence[str], **more: Any) -> dict[str, Any]:
    """An axis of names in this order; a device called ``1`` is a name too."""
    return axis(title, type="category", categoryorder="array", categoryarray=[safe(name) for name in names], **more)


def figure(traces: Sequence[Trace], **layout: Any) -> Figure:
    """Data and layout."""
    return {"data": list(traces), "layout": layout}


def dots(
    name: str,
    xs: Sequence[Any],
    ys: Sequence[Any],
    texts: Sequence[str],
    place: int = 0,
    errors: Sequence[float | None] | None = None,
    **more: Any,
) -> Trace:
    """A series of points.

    Args:
        name: in the legend.
        xs: where they are.
        ys: how high.
        texts: what each says when it is pointed at.
        place: which colour and symbol.
        errors: standard deviations of ``ys``.
        **more: anything that plotly takes.
    """
    colour = SERIES[place % len(SERIES)]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": safe(name),
        "x": list(xs),
        "y": list(ys),
        "hovertext": list(texts),
        "hoverinfo": "text",
        "marker": {"color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 10, "opacity": 0.85},
    }
    if errors is not None and any(error is not None for error in errors):
        trace["error_y"] = {"array": [error or 0.0 for error in errors], "color": colour, "thickness": 1, "width": 3}
    return trace | more


def line(name: str, xs: Sequence[Any], ys: Sequence[Any], color: str = MUTED, **more: Any) -> Trace:
    """A line."""
    style = {"color": color, "width": 2} | more.pop("line", {})
    trace = {"type": "scatter", "mode": "lines", "name": safe(name), "x": list(xs), "y": list(ys), "line": style}
    return trace | {"hoverinfo": "skip"} | more


def hundred(values: Sequence[float | None]) -> list[float | None]:
    """Parts of one as percent."""
    return [None if value is None else 100 * value for value in values]


def legend_above() -> Mapping[str, Any]:
    """A legend above the plot, where it takes no width."""
    return {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}


def rows_height(rows: int) -> int:
    """The height in pixels of a chart with a row for each."""
    return 110 + _ROW_PX * max(3, rows)
