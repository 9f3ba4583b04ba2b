"""A study is found by its file, else by its name among those that come with the program."""

from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.study.definition.bundled_studies import find_study, shipped_studies
from asc_experiments.study.definition.study_file import read_study

FOLDER = Path(__file__).parents[2] / "studies"


def test_every_study_of_the_clone_is_shipped() -> None:
    assert shipped_studies() == {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


@pytest.mark.parametrize(
    "given",
    ["quickstart", "quickstart.yaml", "studies/quickstart.yaml", "studies/quickstart", "./quickstart"],
)
def test_shipped_study_is_found_by_name(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_study(Path(given)) == FOLDER / "quickstart.yaml"
    assert read_study(Path(given)).name == "quickstart"


def test_a_study_has_one_name_in_file_and_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_study(Path("search-ensemble")) == find_study(Path("search_ensemble"))


def test_file_that_is_there_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    own = tmp_path / "studies" / "quickstart.yaml"
    own.write_text((FOLDER / "quickstart.yaml").read_text().replace("trials: 2", "trials: 7", 1))
    assert read_study(Path("studies/quickstart.yaml")).trials == 7


@pytest.mark.parametrize(
    "given", ["elsewhere/quickstart.yaml", "/nowhere/quickstart.yaml", "../studies/quickstart.yaml"]
)
def test_path_of_somewhere_else_is_not_answered_with_a_shipped_study(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    with pytest.raises(AscError, match="no such file"):
        find_study(Path(given))


def test_nearest_study_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AscError, match=r"did you mean 'quickstart'\?"):
        find_study(Path("quikstart"))
    with pytest.raises(AscError, match="is a folder"):
        find_study(tmp_path)
