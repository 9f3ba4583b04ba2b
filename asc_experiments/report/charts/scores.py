"""Charts of accuracies: teacher against student, per device, gains, calibration, ensemble size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from asc_experiments.report.charts.base import (
    MUTED,
    SERIES,
    STUDENT,
    Figure,
    Trace,
    axis,
    categories,
    dots,
    figure,
    hundred,
    legend_above,
    line,
    lines,
    safe,
)


def against(
    names: Sequence[str],
    ensemble: Sequence[float],
    student: Sequence[float],
    stds: Sequence[float | None],
    taught_by: Sequence[str],
) -> Figure:
    """Each student's accuracy over its ensemble's, and the line where they are equal."""
    texts = [
        lines(name, f"taught by {by}", f"ensemble {100 * x:.1f} %, student {100 * y:.1f} %")
        for name, by, x, y in zip(names, taught_by, ensemble, student, strict=True)
    ]
    low, high = 100 * min(*ensemble, *student), 100 * max(*ensemble, *student)
    edge = max(1.0, 0.05 * (high - low))
    ends = [low - edge, high + edge]
    equal = line("student as good as its ensemble", ends, ends, line={"dash": "dot", "width": 1})
    name = "a trial" if all(std is None for std in stds) else "a trial, ± standard deviation over seeds"
    points = dots(name, hundred(ensemble), hundred(student), texts, errors=hundred(stds))
    return figure(
        [equal, points],
        xaxis=axis("ensemble's accuracy in %"),
        yaxis=axis("student's accuracy in %"),
        legend=legend_above(),
    )


def gain_bars(
    names: Sequence[str],
    gains: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    against_what: str,
) -> Figure:
    """The gain on every device in points, with its interval where that is known; what is lost points down."""
    bars = {
        "type": "bar",
        "x": [safe(name) for name in names],
        "y": hundred(gains),
        "marker": {"color": STUDENT},
        "hovertext": [lines(name, f"{100 * gain:+.1f} points") for name, gain in zip(names, gains, strict=True)],
        "hoverinfo": "text",
    }
    if any(interval is not None for interval in intervals):
        ends = [interval or (gain, gain) for gain, interval in zip(gains, intervals, strict=True)]
        above = [100 * (high - gain) for gain, (_, high) in zip(gains, ends, strict=True)]
        below = [100 * (gain - low) for gain, (low, _) in zip(gains, ends, strict=True)]
        bars["error_y"] = {
            "array": above, "arrayminus": below, "symmetric": False, "color": MUTED, "thickness": 1,
        }  # fmt: skip
    title = f"gain over {safe(against_what, 40)} in points"
    return figure([bars], xaxis=categories("group or device", names), yaxis=axis(title, zeroline=True), bargap=0.35)


def size_curve(series: Mapping[str, Mapping[int, Sequence[tuple[str, float]]]]) -> Figure:
    """Accuracy over the number of teachers: every trial a point, their means a line from one teacher on.

    Students on labels alone differ from taught ones in more than a number, so no line leads from them to the others;
    nor is there one where all ensembles are of one size.

    Args:
        series: by name, and by number of teachers: what each trial is called, and its accuracy.
    """
    traces = []
    for place, (name, by_size) in enumerate(series.items()):
        sizes = sorted(by_size)
        points = [(size, about, value) for size in sizes for about, value in by_size[size]]
        texts = [lines(about, f"{name}: {100 * value:.1f} %, {size} teachers") for size, about, value in points]
        xs, ys = [size for size, _, _ in points], [100 * value for _, _, value in points]
        shown = dots(name, xs, ys, texts, place, legendgroup=name, showlegend=False)
        shown["marker"] |= {"size": 7, "opacity": 0.5}
        taught = [size for size in sizes if size]
        means = [100 * fmean(value for _, value in by_size[size]) for size in taught]
        style = {"color": SERIES[place % len(SERIES)], "dash": ("solid", "dash", "dot", "dashdot")[place % 4]}
        mean = line(f"{name}, mean", taught, means, line=style, legendgroup=name)
        traces += [shown, mean] if len(taught) > 1 else [shown | {"showlegend": True}]
    return figure(
        traces,
        xaxis=axis("teachers in the ensemble", dtick=1),
        yaxis=axis("accuracy in %"),
        legend=legend_above(),
    )


def grouped_bars(
    names: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    title: str,
    unit: str = "",
    over: str = "device of the test fold",
    errors: Mapping[str, Sequence[float | None]] | None = None,
) -> Figure:
    """A bar per name and series.

    Args:
        names: below the bars.
        series: by its label in the legend: a value for each name.
        title: of the axis of values.
        unit: what stands behind a value, with its space; three digits stand before it where there is none.
        over: what the names are.
        errors: by label: standard deviations of the values.
    """
    patterns, digits = ("", "/", "x", "."), 1 if unit else 3
    bars: list[Trace] = []
    for place, (label, values) in enumerate(series.items()):
        bar: Trace = {
            "type": "bar",
            "name": safe(label),
            "x": [safe(name) for name in names],
            "y": list(values),
            "marker": {
                "color": SERIES[place % len(SERIES)],
                "pattern": {"shape": patterns[place % 4], "solidity": 0.2},
            },
            "hovertext": [
                lines(name, "" if value is None else f"{label}: {value:.{digits}f}{unit}")
                for name, value in zip(names, values, strict=True)
            ],
            "hoverinfo": "text",
        }
        known = (errors or {}).get(label, ())
        if any(error is not None for error in known):
            bar["error_y"] = {"array": [error or 0.0 for error in known], "color": MUTED, "thickness": 1}
        bars.append(bar)
    return figure(bars, xaxis=categories(over, names), yaxis=axis(title), barmode="group", legend=legend_above())
