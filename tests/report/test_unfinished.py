"""What a report says of a study that is not over."""

from dataclasses import replace

from asc_experiments.base.ownership import this_process
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import render
from tests.report.made import make_study


def unfinished(finished: int, running: int, asked: int = 5) -> StudyRuns:
    """A study on labels alone so far, some of whose trials are running."""
    study = make_study(n_trials=1, n_pruned=0)
    trial = study.trials[0]
    active = [
        replace(
            trial,
            run_id=f"active-{number}",
            status="RUNNING",
            tags={**trial.tags, "asc.trial": str(10 + number), "asc.owner": this_process()},
        )
        for number in range(running)
    ]
    runs = (*(study.runs if finished else ()), *active)
    return replace(study, runs=runs, tags={**study.tags, "asc.asked_trials": str(asked)})


def shown(study: StudyRuns) -> str:
    return " ".join(render([Findings(study)], Format.table).split())


def test_study_with_trials_to_come_says_so_first_and_not_what_was_not_tried() -> None:
    text = shown(unfinished(1, 2))
    assert text.startswith(
        "made: No taught trial has finished yet; the best student on labels alone is that of trial 0"
    )
    assert "trial 0 - 1 of 5 trials finished, 2 running: `asc study watch made`." in text
    assert "No teacher was tried" not in text
    assert "nothing to compare it with yet" in text


def test_study_that_is_over_says_what_was_not_tried() -> None:
    text = shown(unfinished(1, 0, asked=1))
    assert text.startswith("made: No teacher was tried")
    assert "trials finished" not in text


def test_nothing_to_report_while_trials_run_names_them() -> None:
    text = shown(unfinished(0, 2))
    said = "There is nothing to report yet. 0 of 5 trials finished, 2 running: `asc study watch made`."
    assert text.endswith(said)


def test_json_has_how_far_the_study_has_come() -> None:
    facts = Findings(unfinished(1, 2)).facts()["trials"]
    assert {name: facts[name] for name in ("finished", "running", "asked", "is_over")} == {
        "finished": 1,
        "running": 2,
        "asked": 5,
        "is_over": False,
    }
