"""Charts of a search: what it tried, what mattered, what it cost, what the front looks like."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from asc_experiments.report.analysis.compute_cost import Cost
from asc_experiments.report.analysis.pareto import Student
from asc_experiments.report.charts.base import (
    INK,
    MUTED,
    SERIES,
    Figure,
    Trace,
    axis,
    categories,
    dots,
    figure,
    legend_above,
    line,
    lines,
    safe,
)

_EVERY_TICK, _MOST_LABELS, _ORDERS = 12, 6, 20
_FIFTHS = ("var(--q1)", "var(--q2)", "var(--q3)", "var(--q4)", "var(--q5)")


def front(students: Sequence[Student], several: bool, metric: str) -> Figure:
    """Accuracy over MACs, and the line that no student beats, by the metric that the studies were chosen by."""
    traces = []
    for place, study in enumerate(dict.fromkeys(student.study for student in students)):
        own = [student for student in students if student.study == study]
        texts = [
            lines(
                f"{study}, trial {s.trial}" if several else f"trial {s.trial}",
                f"taught by {s.taught_by}",
                f"{100 * s.accuracy:.1f} %, {s.macs / 1e6:.1f} MMACs",
                "" if s.test is None else f"test fold {100 * s.test:.1f} %",
            )
            for s in own
        ]
        xs, ys = [s.macs / 1e6 for s in own], [100 * s.accuracy for s in own]
        traces.append(dots(study if several else "a student", xs, ys, texts, place))
    best = [student for student in students if student.is_on_front]
    xs, ys = [s.macs / 1e6 for s in best], [100 * s.accuracy for s in best]
    traces.append(line("Pareto front", xs, ys, INK, line={"shape": "hv", "width": 1}))
    return figure(
        traces,
        xaxis=axis("million MACs for one clip"),
        yaxis=axis(f"{metric} in %"),
        legend=legend_above(),
    )


def importances(fanova: Mapping[str, float], ped_anova: Mapping[str, float]) -> Figure:
    """The share of each parameter by two methods, the largest on top.

    Args:
        fanova: of the objective's variance.
        ped_anova: in what tells the best trials from the others; of the same parameters.
    """
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": method,
            "y": [safe(name, 40) for name in fanova],
            "x": [100 * shares[name] for name in fanova],
            "marker": {"color": SERIES[place], "pattern": {"shape": ("", "/")[place], "solidity": 0.2}},
            "text": [f"{100 * shares[name]:.0f}" for name in fanova],
            "hovertext": [lines(name, f"{method}: {100 * shares[name]:.1f} %") for name in fanova],
            "hoverinfo": "text",
        }
        for place, (method, shares) in enumerate((("fANOVA", fanova), ("PED-ANOVA", ped_anova)))
    ]
    return figure(
        bars,
        xaxis=axis("share in %", rangemode="tozero"),
        yaxis={"type": "category", "autorange": "reversed", "automargin": True},
        legend=legend_above(),
    )


def history(
    finished: Sequence[tuple[int, float]], pruned: Sequence[tuple[int, float]], objective: str, sign: float | None
) -> Figure:
    """The objective of every trial by number, the best so far, and what pruned trials had reached.

    Args:
        finished: numbers and objectives.
        pruned: the same of those that were stopped.
        objective: its name.
        sign: 1 where a larger objective is better, else -1; None where the order of trials means nothing, as in a grid,
            so that none is the best so far.
    """
    numbers, values = [number for number, _ in finished], [value for _, value in finished]
    traces: list[Trace] = []
    if sign is not None:
        best = list(accumulate(values, max if sign > 0 else min))
        traces.append(line("best so far", numbers, best, INK, line={"shape": "hv", "width": 1}))
    texts = [lines(f"trial {n}", f"{objective} {v:.4f}") for n, v in finished]
    traces.append(dots("finished", numbers, values, texts))
    if pruned:
        texts = [lines(f"trial {n}, pruned", f"{objective} was {v:.4f}") for n, v in pruned]
        stopped = dots("pruned, where it stood", [n for n, _ in pruned], [v for _, v in pruned], texts)
        stopped["marker"] = {"color": MUTED, "symbol": "x-thin-open", "size": 9}
        traces.append(stopped)
    few = {"dtick": 1} if max([*numbers, *(n for n, _ in pruned)], default=0) <= _EVERY_TICK else {}
    return figure(traces, xaxis=axis("trial", **few), yaxis=axis(safe(objective)), legend=legend_above())


def parallel(
    params: Mapping[str, Sequence[Any]], objectives: Sequence[float], names: Sequence[str], sign: float
) -> Figure:
    """Every trial a line through its parameters, bright for the best fifth.

    (Drawn as lines: plotly's own parallel coordinates need WebGL, and code made from text, which the page forbids.)
    """
    places = {name: _places(values) for name, values in params.items()}
    order = sorted(range(len(objectives)), key=lambda trial: sign * objectives[trial])
    fifth = {trial: min(4, 5 * rank // len(order)) for rank, trial in enumerate(order)}
    traces = []
    for number in sorted(set(fifth.values())):
        trials = [trial for trial in order if fifth[trial] == number]
        traces.append(_fifth(number, trials, params, places, objectives, names))
    ticks = [{"x": name, "y": at, "text": label} for name, (_, known) in places.items() for label, at in known]
    annotations = [
        {
            "x": safe(tick["x"], 28),
            "y": tick["y"],
            "text": safe(tick["text"], 18),
            "showarrow": False,
            "xanchor": "left",
            "xshift": 6,
            "bgcolor": "var(--paper)",
            "opacity": 0.9,
            "borderpad": 1,
            "font": {"size": 11, "color": INK},
        }
        for tick in ticks
    ]
    return figure(
        traces,
        xaxis=categories("parameter", [safe(name, 28) for name in params])
        | {"tickangle": 25, "range": [-0.2, len(params) - 0.5]},
        yaxis={"visible": False, "range": [-0.08, 1.08]},
        annotations=annotations,
        legend=legend_above(),
    )


def _fifth(
    number: int,
    trials: Sequence[int],
    params: Mapping[str, Sequence[Any]],
    places: Mapping[str, tuple[list[float | None], list[tuple[str, float]]]],
    objectives: Sequence[float],
    names: Sequence[str],
) -> Trace:
    """The lines of one fifth of the trials; a gap parts them, and a parameter that a trial lacks."""
    xs: list[str | None] = []
    ys: list[float | None] = []
    texts: list[str] = []
    for trial in trials:
        for name, values in params.items():
            xs.append(safe(name, 28))
            ys.append(places[name][0][trial])
            texts.append(lines(names[trial], f"{name} = {values[trial]}", f"objective {objectives[trial]:.4f}"))
        xs, ys, texts = [*xs, None], [*ys, None], [*texts, ""]
    label = {0: "worst fifth", 4: "best fifth"}.get(number, f"fifth {number + 1} of 5")
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label,
        "x": xs,
        "y": ys,
        "hovertext": texts,
        "hoverinfo": "text",
        "line": {"color": _FIFTHS[number], "width": 3 if number == 4 else 1.5},
        "marker": {"color": _FIFTHS[number], "size": 6},
        "opacity": 1.0 if number == 4 else 0.7,
    }


def _places(values: Sequence[Any]) -> tuple[list[float | None], list[tuple[str, float]]]:
    """Where each value stands on its axis, from 0 to 1, and the labels of that axis."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        at = _scale(known)
        shown = sorted(set(known)) if len(set(known)) <= _MOST_LABELS else [min(known), max(known)]
        return [None if value is None else at(value) for value in values], [(f"{v:.4g}", at(v)) for v in shown]
    kinds = sorted({str(value) for value in known})
    heights = {kind: place / (len(kinds) - 1) if len(kinds) > 1 else 0.5 for place, kind in enumerate(kinds)}
    return [None if value is None else heights[str(value)] for value in values], list(heights.items())


def _scale(known: Sequence[float]) -> Callable[[float], float]:
    """Where a number stands, from 0 to 1: by its logarithm where numbers differ by orders of magnitude."""
    low, high = min(known), max(known)
    if low == high:
        return lambda value: 0.5
    if low > 0 and high / low >= _ORDERS:
        return lambda value: math.log(value / low) / math.log(high / low)
    return lambda value: (value - low) / (high - low)


def cost_bars(labels: Sequence[str], parts: Sequence[Sequence[Cost]]) -> Figure:
    """Hours by sort of training, one bar per study."""
    sorts = list(dict.fromkeys(part.what for each in parts for part in each))
    patterns = ("", "/", "x", ".")
    bars = []
    for place, sort in enumerate(sorts):
        hours = [sum(part.seconds for part in each if part.what == sort) / 3600 for each in parts]
        bars.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": sort,
                "y": [safe(label, 34) for label in labels],
                "x": hours,
                "marker": {"color": SERIES[place], "pattern": {"shape": patterns[place % 4], "solidity": 0.2}},
                "hovertext": [lines(label, f"{sort}: {h:.2f} h") for label, h in zip(labels, hours, strict=True)],
                "hoverinfo": "text",
            }
        )
    return figure(
        bars,
        xaxis=axis("hours of training", rangemode="tozero"),
        yaxis={"type": "category", "autorange": "reversed", "automargin": True},
        barmode="stack",
        legend=legend_above(),
    )
