"""How far a study has come, by its runs."""

from asc_experiments.base.ownership import this_process
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.study_progress import progress_of


def trial(number: int, status: str, **tags: str) -> RunRecord:
    named = {name.replace("_", ".", 1): value for name, value in tags.items()}
    return RunRecord(f"r{number}", "1", f"trial {number}", status, {}, {}, {"asc.trial": str(number), **named}, 0, 0)


def test_finished_failed_and_pruned_trials_are_done_and_those_that_somebody_works_on_run() -> None:
    runs = [
        trial(0, "FINISHED"),
        trial(1, "FAILED"),
        trial(2, "KILLED", asc_error="pruned after epoch 3"),
        trial(3, "KILLED", asc_error="stopped"),
        trial(4, "RUNNING", asc_owner=this_process()),
        trial(5, "RUNNING"),
    ]
    found = progress_of(runs, "6")
    assert (found.asked, found.done, found.running, found.is_over) == (6, 3, 1, False)
    assert found.sentence("mine") == "3 of 6 trials finished, 1 running: `asc study watch mine`."


def test_trial_that_was_queued_again_counts_once() -> None:
    runs = [trial(0, "FAILED"), trial(1, "FINISHED", asc_again_of="0")]
    assert progress_of(runs, "1").done == 1


def test_study_that_is_over_says_nothing_nor_does_one_of_an_earlier_version() -> None:
    for asked in ("1", ""):
        found = progress_of([trial(0, "FINISHED")], asked)
        assert found.is_over
        assert found.sentence("mine") == ""


def test_interrupted_study_names_what_resumes_it() -> None:
    assert "none is running: `asc study run`" in progress_of([trial(0, "FINISHED")], "5").sentence("mine")
