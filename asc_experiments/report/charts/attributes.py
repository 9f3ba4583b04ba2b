"""The chart of what makes a good teacher: effects and their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.report.attributes import Attribute
from asc_experiments.report.charts.base import SERIES, Figure, axis, dots, figure, legend_above, lines, safe

_APART = 0.24


def effects(attributes: Sequence[Attribute], is_category: bool, targets: Sequence[str], scale: float) -> Figure:
    """Effects and their intervals, a row per attribute; without an interval an open mark.

    Args:
        attributes: those of one kind, in the order of the rows.
        is_category: whether they are differences of means.
        targets: what the effects are on: the objective, accuracy on unseen devices.
        scale: what differences are multiplied by, 100 for points.
    """
    names = [safe(attribute.name, 52) for attribute in attributes]
    traces = []
    for place, target in enumerate(targets):
        rows = [
            row + 0.06 + (place - 0.5) * _APART for row in range(len(names))
        ]  # so that intervals do not cover each other
        found = [(row, a.on_objective if place == 0 else a.on_unseen) for row, a in zip(rows, attributes, strict=True)]
        known = [(row, effect) for row, effect in found if effect is not None]
        by = scale if is_category else 1.0
        texts = [lines(target, f"{by * e.value:+.2f}, n = {e.n}", _interval(e.low, e.high, by)) for _, e in known]
        trace = dots(target, [by * e.value for _, e in known], [row for row, _ in known], texts, place)
        trace["marker"]["symbol"] = [
            ("circle", "diamond")[place] + ("" if e.low is not None else "-open") for _, e in known
        ]
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [0.0 if e.high is None else by * (e.high - e.value) for _, e in known],
            "arrayminus": [0.0 if e.low is None else by * (e.value - e.low) for _, e in known],
            "color": SERIES[place],
            "thickness": 1.5,
        }
        traces.append(trace)
    title = "difference of means" if is_category else "Spearman's rank correlation"
    return figure(
        traces,
        xaxis=axis(title, zeroline=True, zerolinewidth=2),
        yaxis={
            "range": [len(names) - 0.62, -0.62],
            "tickvals": [row - 0.62 for row in range(1, len(names))],  # a line between rows
            "showticklabels": False,
        },
        annotations=[_label(name, row) for row, name in enumerate(names)],
        margin={"l": 12},
        legend=legend_above(),
    )


def _label(name: str, row: int) -> dict[str, object]:
    """A row's name above its marks: beside them it would leave no room on a phone."""
    place = {"xref": "paper", "x": 0, "y": row - 0.42, "xanchor": "left", "yanchor": "middle"}
    return place | {"text": name, "showarrow": False, "font": {"size": 12}, "bgcolor": "var(--paper)", "borderpad": 1}


def _interval(low: float | None, high: float | None, by: float) -> str:
    return "too few trials for an interval" if low is None or high is None else f"[{by * low:+.2f}, {by * high:+.2f}]"
