"""The chart of what makes a good teacher: effects, and what luck alone gives."""

from __future__ import annotations

from collections.abc import Sequence

from asc_experiments.report.analysis.teacher_attributes import Attribute
from asc_experiments.report.charts.base import MUTED, Figure, Trace, axis, dots, figure, legend_above, line, lines, safe
from asc_experiments.statistics.permutation import Effect

_APART = 0.24


def effects(attributes: Sequence[Attribute], is_category: bool, targets: Sequence[str], scale: float) -> Figure:
    """Effects on bars of what luck alone gives, a row per attribute; those that are not clear have an open mark.

    Args:
        attributes: those of one kind, in the order of the rows.
        is_category: whether they are differences of means.
        targets: what the effects are on: the objective, accuracy on unseen devices.
        scale: what differences are multiplied by, 100 for points.
    """
    names = [safe(attribute.name, 52) for attribute in attributes]
    by = scale if is_category else 1.0
    traces = []
    for place, target in enumerate(targets):
        rows = [
            row + 0.06 + (place - 0.5) * _APART for row in range(len(names))
        ]  # so that bars do not cover each other
        found = [(row, a.on_objective if place == 0 else a.on_unseen) for row, a in zip(rows, attributes, strict=True)]
        known = [(row, effect) for row, effect in found if effect is not None and not effect.too_few]
        texts = [lines(target, f"{by * e.value:+.2f}, n = {e.n}", _luck(e, by)) for _, e in known]
        trace = dots(target, [by * e.value for _, e in known], [row for row, _ in known], texts, place)
        trace["marker"]["symbol"] = [("circle", "diamond")[place] + ("" if e.is_clear else "-open") for _, e in known]
        traces += [_bars(known, by, is_named=place == 0), trace]
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


def _bars(known: Sequence[tuple[float, Effect]], by: float, is_named: bool) -> Trace:
    """A grey bar from the lowest to the highest value that luck alone gives, for each row."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for row, effect in known:
        if effect.luck_low is not None and effect.luck_high is not None:
            xs += [by * effect.luck_low, by * effect.luck_high, None]
            ys += [row, row, None]
    return line("luck alone", xs, ys, MUTED, line={"width": 5}, opacity=0.45, showlegend=is_named)


def _label(name: str, row: int) -> dict[str, object]:
    """A row's name above its marks: beside them it would leave no room on a phone."""
    place = {"xref": "paper", "x": 0, "y": row - 0.42, "xanchor": "left", "yanchor": "middle"}
    return place | {"text": name, "showarrow": False, "font": {"size": 12}, "bgcolor": "var(--paper)", "borderpad": 1}


def _luck(effect: Effect, by: float) -> str:
    if effect.luck_low is None or effect.luck_high is None:
        return ""
    return f"luck alone: {by * effect.luck_low:+.2f} to {by * effect.luck_high:+.2f}, p = {effect.p:.3f}"
