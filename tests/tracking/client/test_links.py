"""Links to MLflow's pages ask for the mode that has tables of trials."""

from dataclasses import replace
from pathlib import Path

import pytest

import asc_experiments
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.client.links import first_page, page_of, page_of_comparison, page_of_run

MODE = "workflowType=machine_learning"
RUN = RunRecord("a" * 32, "2", "trial 0", "FINISHED", {}, {}, {}, 0)


@pytest.mark.parametrize(
    "link",
    [
        first_page(),
        page_of("2"),
        page_of_run("2", "a" * 32),
        page_of_run("2", "a" * 32, "artifacts/model_card.md"),
        page_of_comparison([RUN]),
    ],
)
def test_every_link_keeps_model_training(link: str) -> None:
    path, _, query = link.partition("?")
    assert path.startswith("#/")
    assert MODE in query.split("&")


def test_runs_of_two_experiments_are_compared_by_one_link() -> None:
    link = page_of_comparison([RUN, replace(RUN, run_id="b" * 32), replace(RUN, run_id="c" * 32, experiment_id="7")])
    assert link.count("%22%2C%22") == 3, "three runs and two experiments, in JSON"
    assert "experiments=%5B%222%22%2C%227%22%5D" in link


def test_no_other_file_writes_links() -> None:
    folder = Path(asc_experiments.__file__).parent
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if "#/" in path.read_text()}
    assert found == {"tracking/client/links.py", "migration/ids.py"}
