"""What stops a study instead of failing a trial, in which words."""

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from asc_experiments.base.errors import AscError
from asc_experiments.base.outage import Outage
from asc_experiments.study.executors.local import WorkError
from asc_experiments.study.storage.failures import in_one_line, study_outage

AWAY = "study 'tiny': its storage does not answer (OperationalError); start the database; the same command resumes"
LACKS = OperationalError("SELECT", {}, Exception('(psycopg.errors.UndefinedColumn) column "x" does not exist'))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OperationalError("SELECT", {}, Exception("the database is shutting down")), AWAY),
        (WorkError("OperationalError: the database is shutting down", "Traceback"), AWAY),
        (StorageInternalError("a commit"), AWAY.replace("OperationalError", "StorageInternalError")),
        (
            OSError(28, "No space left on device"),
            "study 'tiny': no space is left to write to; free some; the same command resumes",
        ),
        (Outage("x", "y", "z"), "x: y; z"),
    ],
)  # fmt: skip
def test_outage_is_one_line(error: Exception, line: str) -> None:
    found = study_outage(error, "tiny")
    assert found is not None
    assert found.line() == line
    with pytest.raises(Outage), in_one_line("tiny"):
        raise error


@pytest.mark.parametrize(
    "error", [ConnectionError("refused"), AscError("x", "y", "z"), RuntimeError("out of memory"), ValueError("a")]
)
def test_what_may_be_a_trials_own_fault_or_another_servers_is_no_outage_of_the_storage(error: Exception) -> None:
    assert study_outage(error, "tiny") is None
    with pytest.raises(type(error)), in_one_line("tiny"):
        raise error


def test_storage_of_another_version_is_told_with_the_command_that_upgrades_it() -> None:
    found = study_outage(LACKS, "tiny")
    assert found is not None
    assert found.line().startswith("study 'tiny': its tables are not those of the installed version (")
    assert 'column "x" does not exist' in found.line()
    assert "then run `optuna storage upgrade --storage URL`" in found.line()
