"""Charts are what plotly takes, and names do them no harm."""

import plotly.graph_objects
import pytest

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.charts.base import lines, safe
from asc_experiments.report.charts.scores import against, size_curve
from asc_experiments.report.charts.search import history, parallel
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.blocks import Chart, Report
from asc_experiments.report.sections import report_of
from tests.report.made import make_study


def charts_of(report: Report) -> list[Chart]:
    sections = [*report.front, *(section for chapter in report.chapters for section in chapter.sections)]
    return [block for section in sections for block in section.blocks if isinstance(block, Chart)]


@pytest.mark.parametrize("n_trials", [2, 12, 24])
def test_plotly_takes_every_chart(n_trials: int) -> None:
    studies = [make_study("one", n_trials, replicated=True), make_study("other", n_trials, seed=4)]
    for chart in charts_of(report_of(list(map(Findings, studies)))):
        plotly.graph_objects.Figure(chart.figure)  # refuses what it does not know
        assert chart.alternative
        assert chart.title


def test_every_axis_that_measures_says_what_and_in_which_unit(made: StudyRuns) -> None:
    for chart in charts_of(report_of([Findings(made)])):
        axes = [value for name, value in chart.figure["layout"].items() if name in ("xaxis", "yaxis")]
        named = [axis for axis in axes if axis.get("title", {}).get("text")]
        assert named, chart.title


def test_names_are_text_to_plotly_and_not_too_long() -> None:
    assert safe("<b>&amp;</b>") == "&lt;b&gt;&amp;amp;&lt;/b&gt;"
    assert safe("a\nb") == "a b"
    assert len(safe("x" * 500)) <= 60
    assert lines("<i>", "", None, "b") == "&lt;i&gt;<br>b"


def test_best_so_far_never_gets_worse() -> None:
    finished = [(0, 0.5), (1, 0.3), (2, 0.6), (5, 0.1)]
    assert history(finished, [], "loss", 1.0)["data"][0]["y"] == [0.5, 0.5, 0.6, 0.6]
    assert history(finished, [], "loss", -1.0)["data"][0]["y"] == [0.5, 0.3, 0.3, 0.1]


def test_trials_of_a_grid_have_no_best_so_far() -> None:
    assert [trace["name"] for trace in history([(0, 0.5), (1, 0.3)], [], "loss", None)["data"]] == ["finished"]


def test_no_line_leads_from_labels_alone_to_one_teacher() -> None:
    alone, one, two = ({size: [(f"trial {size}", 0.1 * size)]} for size in range(3))
    data = size_curve({"student": alone | one})["data"]
    assert [(trace["mode"], trace["showlegend"]) for trace in data] == [("markers", True)]
    points, mean = size_curve({"student": alone | one | two})["data"]
    assert (points["x"], mean["mode"], mean["x"]) == ([0, 1, 2], "lines", [1, 2])


def test_bars_of_errors_are_named() -> None:
    some, none = (against(["a", "b"], [0.5, 0.6], [0.4, 0.5], stds, ["x", "y"]) for stds in ([0.1, 0.2], [None, None]))
    assert some["data"][1]["name"] == "a trial, ± standard deviation over seeds"
    assert none["data"][1]["name"] == "a trial"


def test_parallel_lines_break_where_a_trial_lacks_a_parameter() -> None:
    figure = parallel({"rate": [0.001, 0.1, None], "kind": ["x", "y", "y"]}, [1, 2, 3], ["0", "1", "2"], 1.0)
    ys = [y for trace in figure["data"] for y in trace["y"]]
    assert ys == [0.0, 0.0, None, 1.0, 1.0, None, None, 1.0, None]
