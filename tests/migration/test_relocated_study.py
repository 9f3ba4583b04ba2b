"""After ``mv`` and ``asc workspace relocate`` a study is as usable as before."""

from collections.abc import Callable
from pathlib import Path

from asc_experiments.tracking.client.connection import default_tracking_uri
from tests.migration.made import Facts, Home
from tests.migration.snapshot import counts


def test_report_predict_and_a_relaunched_run_that_trains_nothing(
    asc: Callable, facts: Facts, home: Home, home_copy: Path, tmp_path: Path
) -> None:
    new = home_copy.rename(tmp_path / "new house")
    where = ("--workspace", new)
    assert facts("workspace", "relocate", *where)["before"] == [str(home_copy)]
    before = counts(default_tracking_uri(new))
    assert len(facts("report", "tiny", *where)["rows"]) > 2
    assert "scene" in facts("predict", "models:/asc-student@champion", next((home.corpus / "audio").iterdir()), *where)
    again = asc("study", "run", home.study, "--corpus", home.corpus, *where)
    assert again.code == 0, again.err
    assert "trained" not in again.err
    more = asc("study", "run", home.study, "--corpus", home.corpus, "--trials", 3, *where)
    assert more.code == 0, more.err
    assert not home_copy.exists(), "nothing is written to the old place"
    assert counts(default_tracking_uri(new))["models"] > before["models"]
