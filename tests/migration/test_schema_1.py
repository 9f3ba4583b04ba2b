"""What the version before left, whose keys knew no number format: read everywhere, and a study of it is not continued.

``schema_1/`` was written by that version: a finished study in an archive (without figures, the program's code in the
networks, and the students' networks), the description of an exported teacher, and the study's file.
"""

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from asc_experiments.distill.teacher_archive import read_teacher_file
from asc_experiments.study.storage.open_storage import open_storage
from tests.migration.made import Facts

HERE = Path(__file__).parent / "schema_1"
KEY = "abccc722c14c7cf8"


@pytest.fixture
def imported(workspace: Path, asc: Callable) -> Path:
    """A workspace with everything that was in the archive."""
    done = asc("workspace", "import", HERE / "workspace.tar.gz", "--workspace", workspace)
    assert done.code == 0, done.err
    return workspace


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """The folder of an exported teacher."""
    folder, unpacked = tmp_path / "exported", tmp_path / "unpacked"
    with tarfile.open(HERE / "workspace.tar.gz") as archive:
        archive.extractall(unpacked, filter="data")
    folder.mkdir()
    shutil.copy(HERE / "teacher.json", folder)
    (weights,) = unpacked.rglob("weights.safetensors")
    records = {path.parent: json.loads(path.read_text()) for path in unpacked.glob("runs/*/record.json")}
    (run,) = [folder for folder, record in records.items() if record["experiment"] == "teachers"]
    for path in (weights, weights.with_name("network.json"), run / "files" / "logits" / "logits.npz"):
        shutil.copy(path, folder)
    return folder


def test_archive_of_the_version_before_is_imported_and_reported(imported: Path, facts: Facts, asc: Callable) -> None:
    where = ("--workspace", imported)
    assert facts("study", "status", "old", *where)["finished"] == 2
    assert [teacher["key"] for teacher in facts("teacher", "list", *where)] == [KEY]
    assert facts("teacher", "show", KEY, *where)["number_format"] is None
    assert asc("report", "old", *where).code == 0
    assert asc("workspace", "export", imported / "again.tar", *where).code == 0


@pytest.mark.parametrize("command", ["run", "plan"])
def test_study_of_the_version_before_is_not_continued_and_one_line_says_what_to_do(
    imported: Path, synth_corpus: Path, asc: Callable, command: str
) -> None:
    done = asc("study", command, HERE / "old.yaml", "--corpus", synth_corpus, "--workspace", imported)
    assert done.code == 2
    (line,) = [line for line in done.err.splitlines() if "old" in line]
    assert line == (
        "error: study 'old': was begun by another version, whose networks have other keys; "
        "its report stays; begin it anew under another name: --set name=…"
    )
    study = optuna.load_study(study_name="old", storage=open_storage(imported, None))
    assert len(study.trials) == 2


def test_archive_of_the_version_before_is_refused_where_this_one_has_begun_that_study(
    workspace: Path, synth_corpus: Path, asc: Callable
) -> None:
    where = ("--workspace", workspace)
    begun = asc("study", "run", HERE / "old.yaml", "--corpus", synth_corpus, "--set", "trials=1", *where)
    assert begun.code == 0, begun.err
    done = asc("workspace", "import", HERE / "workspace.tar.gz", *where)
    assert done.code == 2
    assert (
        "study 'old': is there already with other keys, by another version; import into another --storage" in done.err
    )


def test_teacher_that_the_version_before_exported_keeps_its_key_and_can_be_exported_on(
    exported: Path, workspace: Path, facts: Facts, tmp_path: Path
) -> None:
    where = ("--workspace", workspace)
    assert facts("teacher", "import", exported, *where)["key"] == KEY
    facts("teacher", "export", KEY, "-o", tmp_path / "on", *where)
    assert read_teacher_file(tmp_path / "on").format == 1
    assert facts("teacher", "import", tmp_path / "on", "--workspace", tmp_path / "elsewhere")["key"] == KEY


def test_teacher_of_the_version_before_that_was_changed_is_refused(
    exported: Path, workspace: Path, asc: Callable
) -> None:
    text = (exported / "teacher.json").read_text()
    (exported / "teacher.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    done = asc("teacher", "import", exported, "--workspace", workspace)
    assert done.code == 2
    assert "was changed since it was written" in done.err
