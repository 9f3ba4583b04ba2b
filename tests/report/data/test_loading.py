"""Reading studies from a real tracking server."""

from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.loading import read_studies
from asc_experiments.tracking import Tracking


def test_study_is_read_whole(studied: Path) -> None:
    (study,) = read_studies(Tracking.open(studied), ["tiny"])
    assert [trial.name for trial in study.trials] == ["trial 0", "trial 1"]
    assert list(study.teachers) == study.trials[0].tags["asc.teachers"].split(",")
    assert study.seeds == 1
    assert (study.held_out or {})["fraction"] == 0.3
    assert study.corpus == next(iter(study.teachers.values())).tags["asc.corpus"]
    assert len(study.devices) == 9


def test_gain_and_cost_of_a_real_study(studied: Path) -> None:
    findings = Findings(read_studies(Tracking.open(studied), ["tiny"])[0])
    (gain,) = findings.gains
    taught, alone = findings.runs.trials
    assert gain.gains["accuracy/overall"] == pytest.approx(
        taught.metrics["accuracy/overall"] - alone.metrics["accuracy/overall"]
    )
    assert [part.trainings for part in findings.costs.parts] == [1, 2]
    assert 0 < findings.costs.seconds < 600


def test_number_of_searches_does_not_grow_with_the_trials(studied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking, queries = Tracking.open(studied), []
    search = tracking.search
    monkeypatch.setattr(tracking, "search", lambda *given: queries.append(given) or search(*given))
    read_studies(tracking, ["tiny", "tiny"])
    assert len(queries) <= 5
    assert any("asc.cell" in query for _, query in queries), "the seeds of one trial are read, not of all"


def test_study_that_is_not_there_is_named_with_the_nearest(studied: Path) -> None:
    with pytest.raises(AscError, match=r"study 'tinny'.*did you mean 'tiny'\?"):
        read_studies(Tracking.open(studied), ["tinny"])
