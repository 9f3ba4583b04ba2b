"""Addresses of tracking servers: what is none is said in a line, at once, and a workspace's own is always right."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.client.connection import default_tracking_uri


@pytest.mark.parametrize(
    ("uri", "what", "remedy"),
    [
        ("./mlruns", "is a folder", "give sqlite:///"),
        ("file:///srv/mlruns", "is a folder", "give sqlite:////srv/mlruns/mlflow.db; `mlflow migrate-filestore`"),
        ("file:mlruns", "is a folder", "give sqlite:///"),
        ("mlruns/mlflow.db", "is the path of a database", "give sqlite:///"),
        ("databricks", "of Databricks", "give http"),
        ("databricks://profile", "of Databricks", "give http"),
        ("databricks-uc", "of Databricks", "give http"),
        ("s3://bucket/mlruns", "'s3' is no kind of tracking server", "give http"),
        ("localhost:5000", "without its protocol", "give http://localhost:5000"),
        ("sqlite:/mlflow.db", "is not a whole address", "give http"),
        ("sqlite:////nowhere/at/all/mlflow.db", "no such folder", "make it"),
    ],
)
def test_what_is_no_address_is_said_with_the_one_that_is_meant(
    uri: str, what: str, remedy: str, workspace: Path
) -> None:
    """None of them "does not answer", and nothing can be started there."""
    with pytest.raises(AscError) as caught:
        Tracking.open(workspace, uri)
    assert what in caught.value.what
    assert caught.value.remedy.startswith(remedy)
    assert "start it" not in caught.value.line()


def test_a_folder_with_a_database_is_answered_with_its_address(workspace: Path) -> None:
    with pytest.raises(AscError, match=f"give sqlite:///{workspace}/mlruns/mlflow.db$"):
        Tracking.open(workspace, str(workspace / "mlruns"))


@pytest.mark.parametrize("name", ["100%", "plain name", "é#1"])
def test_a_workspace_holds_its_own_database(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    assert make_url(default_tracking_uri(folder)).database == str(folder / "mlruns" / "mlflow.db")


@pytest.mark.parametrize("name", ["what?", "a%3Fb", "c%20d"])
def test_a_workspace_whose_database_would_lie_elsewhere_is_refused_and_nothing_is_made(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(AscError, match="rename the folder"):
        Tracking.open(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == [name]
