"""Names from people, files and servers: refused where they become paths and metrics, harmless where they are shown."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError, ProblemsError, written_out
from asc_experiments.base.progress import say, show
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.readers.tau import META, TEST_FOLD, TRAIN_FOLD
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.tracking import Tracking

EVIL = [
    "a/b", "../up", "..", ".hidden", "/root", "a\\b", "a\nb", "a\x00b", "a\x1b[31mb", "<script>alert(1)</script>",
    "a'b", 'a"b', "a;b", "$(id)", "`id`", "a@b", "a=b", "%2e%2e%2f", "", " a", "-rf", "x" * 300, "a\u202eb", "[/red]",
]  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_name_that_is_no_name_of_a_study_is_refused(study_file: Callable[..., Path], name: str) -> None:
    path = study_file()
    text = path.read_text().replace("name: tiny", "name: " + repr(name) if "\x00" not in name else 'name: "a\\0b"')
    if "\n" in name or "\x1b" in name:
        text = text.replace(repr(name), '"a\\eb"')
    path.write_text(text)
    with pytest.raises(AscError) as caught:
        read_study(path)
    assert caught.value.line().isprintable()


@pytest.mark.parametrize("name", ["tiny", "paper_device-generalisation.2"])
def test_plain_name_of_a_study_is_taken(study_file: Callable[..., Path], name: str) -> None:
    assert read_study(study_file(name=name)).name == name


# In a table a name may hold a quote only as a quoted field; these are written as they are.
IN_TABLES = [name for name in EVIL if name and not set(name) & set('\n"\x00')]


# A scene may be cafe/restaurant; each of its words is a plain one, so that none leads up.
REFUSED = [(name, "device") for name in IN_TABLES] + [
    (name, "scene") for name in [*IN_TABLES, "a/../b", "a/./b", "a//b", "a/", "a/-rf"] if name != "a/b"
]


@pytest.mark.parametrize(("name", "column"), REFUSED)
def test_name_that_is_no_name_of_a_scene_or_device_is_refused(corpus_copy: Path, column: str, name: str) -> None:
    """They become parts of metric names, and these of paths."""
    old, new = ("\tairport\t", f"\t{name}\t") if column == "scene" else ("\ta\n", f"\t{name}\n")
    for table in (META, TRAIN_FOLD, TEST_FOLD):
        text = (corpus_copy / table).read_text()
        if table != META and column == "scene":
            old, new = "\tairport\n", f"\t{name}\n"
        (corpus_copy / table).write_text(text.replace(old, new), newline="")
    with pytest.raises(ProblemsError) as caught:
        Corpus.open(corpus_copy)
    assert any("is no name" in problem.what for problem in caught.value.problems)
    assert all(problem.line().isprintable() for problem in caught.value.problems)


NAMED = "[/red]<b>x</b> \x1b[31m../..\x07"


def test_name_of_a_teacher_is_shown_as_it_is_and_steers_nothing(
    asc: Callable, synth_corpus: Path, workspace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "logits.pt"
    torch.save(torch.from_numpy(np.random.default_rng(0).normal(size=(200, 10)).astype(np.float32)), path)
    where = ("--workspace", workspace)
    imported = asc("teacher", "import", path, "--logits", "--corpus", synth_corpus, "--name", NAMED, *where)
    assert imported.code == 0, imported.err
    listed = asc("teacher", "list", *where)
    assert listed.code == 0, listed.err
    for shown in (imported.out, listed.out):
        assert "[/red]<b>x</b>" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown


def test_experiment_of_somebody_else_is_stored_within_the_workspace(workspace: Path, tmp_path: Path) -> None:
    tracking = Tracking.open(workspace)
    for name in ("../../up", "..", "/root/x", "a\nb"):
        location = tracking.client.get_experiment(tracking.experiment(name)).artifact_location
        place = Path(location.removeprefix("file://")).resolve()
        assert place.is_relative_to((workspace / "mlruns" / "artifacts").resolve()), location


@pytest.mark.parametrize("text", ["[/red]", "[link=http://example.org]x[/link]", ":smile:", "a\x1b]0;title\x07b"])
def test_texts_are_printed_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table(title=text)
    table.add_column(text)
    table.add_row(text)
    show(table)
    say(text)
    captured = capsys.readouterr()
    assert captured.out.count(written_out(text)) == 3
    assert captured.err == written_out(text) + "\n"
    assert "\x1b" not in captured.out + captured.err
