"""What a study was made with stands at the top of its page."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.analysis.study_setting import MACHINE, setting_in_words, setting_of
from asc_experiments.report.data.loading import read_studies
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import render
from asc_experiments.tracking import Tracking
from tests.report.made import make_study

DAY = 24 * 3_600_000


def told(study: StudyRuns) -> dict[str, str]:
    return dict(setting_in_words(setting_of(study)))


def tagged(study: StudyRuns, *machines: str) -> StudyRuns:
    """The same study, whose runs take turns on these machines."""
    runs = [
        replace(run, tags={**run.tags, MACHINE: machines[number % len(machines)]})
        for number, run in enumerate(study.runs)
    ]
    return replace(study, runs=tuple(runs))


def test_corpus_of_a_real_study_is_told_with_its_clips_scenes_devices_and_day(
    studied: Path, synth_corpus: Path
) -> None:
    (study,) = read_studies(Tracking.open(studied), ["tiny"])
    found = setting_of(study)
    assert found.corpus == synth_corpus.name
    assert found.training
    assert found.validation
    assert found.test
    said = told(study)
    assert said["Clips"].endswith(f"{found.test} test, of 1 s each")
    assert said["Scenes"].startswith(f"{len(found.scenes)}: ")
    assert said["Devices of the test fold"].startswith("9: real a, b and c; seen ")
    assert found.began is not None
    assert said["Date"].endswith(str(found.began.year))
    page = render([Findings(study)], Format.html)
    top = page[: page.index('<nav aria-label="Contents">')]
    assert all(text in top for text in (synth_corpus.name, said["Clips"], said["Date"]))


def test_machine_is_told_where_it_was_logged_and_missed_where_not() -> None:
    study = make_study(n_trials=2)
    assert told(study)["Trained on"] == "not logged by the version that ran this study"
    assert told(tagged(study, "GPU: one"))["Trained on"] == "GPU: one"
    several = told(tagged(study, "GPU: one", "CPU: other"))["Trained on"]
    assert "GPU: one (" in several
    assert "CPU: other (" in several


def test_study_of_several_days_tells_the_first_and_the_last() -> None:
    study = make_study(n_trials=2)
    last = replace(study.runs[-1], end_time=3 * DAY)
    found = setting_of(replace(study, runs=(*study.runs[:-1], last)))
    assert (found.began, found.ended) == (date(1970, 1, 1), date(1970, 1, 4))
    assert dict(setting_in_words(found))["Date"] == "1 January 1970 to 4 January 1970"


def test_study_of_which_little_is_known_is_told_as_far_as_it_is() -> None:
    study = make_study(n_trials=1)
    assert told(study)["Corpus"] == "not logged"
    assert told(replace(study, tags={}))["Devices of the test fold"] == "7: a, b, c, s1, s2, s4 and s5"
