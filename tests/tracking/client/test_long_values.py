"""A value that is too long for a tag is kept whole, and read back as if it were in the tag."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.bulk_read import runs_of_kinds
from asc_experiments.tracking.client.records import NOTE
from asc_experiments.tracking.trials import SEARCHED, TEACHERS, keys_of, searched_of
from tests.faults.servers import MlflowServer

PARAMS = {f"teacher_{number}.cp_resnet.learning_rate": 0.001 * number for number in range(300)}
KEYS = [f"{number:016x}" for number in range(600)]


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    server.start()
    server.wait()
    yield server
    server.kill()


@pytest.fixture(params=["sqlite", "postgresql", "http"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Tracking:
    if request.param == "http":
        return Tracking.open(tmp_path, request.getfixturevalue("mlflow_server").url)
    found: Tracking = request.getfixturevalue("tracking" if request.param == "sqlite" else "on_postgres")
    return found


def test_long_values_of_a_run_are_read_back_whole_however_they_were_set_and_are_asked_for(server: Tracking) -> None:
    experiment = server.experiment("long")
    searched, keys = json.dumps(PARAMS), ",".join(KEYS)
    with server.run(experiment, "trial 0", "trial", {SEARCHED: searched, "short": "value"}) as run:
        run.tags({TEACHERS: keys})
        run.log({}, {}, {"another": 9_000 * "ü"}, "note")
    stored = server.client.get_run(run.run_id).data.tags
    assert max(map(len, stored.values())) < 300
    assert stored[SEARCHED].startswith("see file values/asc.searched.")
    records = [server.get(run.run_id), *server.search([experiment]), *runs_of_kinds(server, experiment, ["trial"])]
    for record in records:
        assert searched_of(record) == PARAMS
        assert keys_of(record) == KEYS
        assert record.tags["another"] == 9_000 * "ü"
        assert (record.tags["short"], record.tags[NOTE]) == ("value", "note")
        assert dict(record.tags)[SEARCHED] == searched
    assert searched_of(pickle.loads(pickle.dumps(server.get(run.run_id)))) == PARAMS


def test_long_value_of_an_experiment_is_read_back_whole_and_replaced(server: Tracking) -> None:
    experiment = server.experiment("long experiment")
    for values in (PARAMS, {**PARAMS, "more": 1.0}, PARAMS):
        server.describe(experiment, 3_000 * "a\n", {"asc.importances": json.dumps(values), "b": "c"})
        tags = server.experiment_tags(experiment)
        assert json.loads(tags["asc.importances"]) == values
        assert tags["b"] == "c"
        assert tags[NOTE].endswith("a\n…")
        assert len(server.client.get_experiment(experiment).tags["asc.importances"]) < 300


def test_value_is_read_once_and_only_when_it_is_asked_for(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    with tracking.run(tracking.experiment("long"), "x", "trial", {SEARCHED: json.dumps(PARAMS), "a": "b"}) as run:
        pass
    read: list[str] = []
    content = Tracking._content
    monkeypatch.setattr(Tracking, "_content", lambda *of: read.append(of[2]) or content(*of))  # type: ignore[func-returns-value]
    record = tracking.get(run.run_id)
    assert record.tags["a"] == "b"
    assert SEARCHED in record.tags
    assert read == []
    assert searched_of(record) == searched_of(record)
    assert len(read) == 1


@pytest.mark.parametrize("damage", ["delete", "change"])
def test_value_whose_file_is_lost_or_changed_is_one_line(tracking: Tracking, workspace: Path, damage: str) -> None:
    with tracking.run(tracking.experiment("long"), "x", "trial", {SEARCHED: json.dumps(PARAMS)}) as run:
        pass
    (file,) = (workspace / "mlruns" / "artifacts").rglob("asc.searched.*.txt")
    file.unlink() if damage == "delete" else file.write_text("{}")
    message = "cannot be read .* delete the run" if damage == "delete" else "is not what tag asc.searched was set to"
    with pytest.raises(AscError, match=message):
        searched_of(tracking.get(run.run_id))


def test_text_that_only_looks_like_a_file_is_a_text(tracking: Tracking) -> None:
    odd = {"a": "see file /etc/passwd", "b": "see file values/../../x.txt", "c": "see file values/x.txt"}
    with tracking.run(tracking.experiment("odd"), "x", "trial", odd) as run:
        pass
    assert odd.items() <= dict(tracking.get(run.run_id).tags).items()


def test_parameters_whose_tag_an_earlier_version_had_cut_are_read_from_those_that_were_logged() -> None:
    params = {
        "search.ensemble_size": "32",
        "search.teacher_1": "cp_resnet",
        "search.x": "0.5",
        "search.pretrained": "True",
    }
    run = RunRecord("id", "1", "trial 0", "FINISHED", {**params, "teachers": "a"}, {}, {SEARCHED: '{"ensemble_s'}, 0)
    assert searched_of(run) == {"ensemble_size": 32, "teacher_1": "cp_resnet", "x": 0.5, "pretrained": True}
    assert searched_of(replace(run, tags={})) == {}
