"""A logger of another package is one file: what trains tells it, in whichever process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.tracking import Tracking
from asc_experiments.tracking.loggers.logger import GROUP
from tests.extending.conftest import Outside
from tests.tracking.loggers.reading import check_metrics, csv_runs

Open = Callable[..., Outside]
STUDY = """
name: outside
trials: 1
validation: {fraction: 0.3}
ensemble: {size: 0, pool: [{arch: cp_mobile}]}
student: {base_channels: 8, augment: none, epochs: 1, batch_size: 64}
"""


def test_study_of_two_workers_is_logged_to_it(outside: Open, synth_corpus: Path, tmp_path: Path) -> None:
    study = tmp_path / "outside.yaml"
    study.write_text(STUDY)
    outside({"csv_files": GROUP}).run(
        "study", "run", study, "--corpus", synth_corpus, "--workers", 2, "--log-to", "csv_files"
    )
    workspace = tmp_path / "workspace"
    tracking, logged = Tracking.open(workspace), csv_runs(workspace)
    runs = tracking.search(list(tracking.experiments()))
    assert logged.keys() == {run.run_id for run in runs}
    assert sorted(run.tags["asc.kind"] for run in runs) == ["seed", "trial"]
    for each in logged.values():
        check_metrics(each, tracking)
        assert each.status == "FINISHED"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("", "csv_files registers none"),
    ],
    ids=["broken", "empty"],
)
def test_package_that_gives_none_is_named_where_it_is_asked_for(
    outside: Open, synth_corpus: Path, text: str, reason: str
) -> None:
    here = outside({"csv_files": GROUP}, texts={"csv_files": text})
    train = ("teacher", "train", "--arch", "cp_mobile", "--corpus", synth_corpus)
    told = here.run(*train, "--log-to", "csv_files", code=2)
    assert told.startswith("error: --log-to csv_files: logger 'csv_files' cannot be loaded (")
    assert reason in told
    assert told.count("\n") == 1
