"""A study may begin with the trials of an earlier one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.earlier_trials import with_trials_of
from asc_experiments.study.storage.open_storage import open_storage
from tests.study.conftest import Answers


@pytest.fixture
def begin(
    driver: Callable[..., Driver], answers: Answers, study_file: Callable[..., Path], workspace: Path
) -> Callable[..., tuple[StudyFile, list[dict]]]:
    """A study of other settings with the trials of one of three; and the parameters of those, in their order."""

    def begun(**changes: object) -> tuple[StudyFile, list[dict]]:
        made = driver()
        made.run()
        file = read_study(study_file(), {"name": "new", "student.epochs": 5} | changes)
        params = [trial.params for trial in made.study.get_trials()]
        return with_trials_of(file, open_storage(workspace, None), "tiny"), params

    return begun


def test_trials_of_an_earlier_study_come_first_in_their_order(
    begin: Callable[..., tuple[StudyFile, list[dict]]],
    capsys: pytest.CaptureFixture[str],
    driver: Callable[..., Driver],
) -> None:
    study, params = begin()
    distinct = [each for number, each in enumerate(params) if each not in params[:number]]
    assert list(study.enqueue) == distinct
    assert f"study new: begins with {len(distinct)} trials of study tiny\n" in capsys.readouterr().err
    made = driver({"name": "new", "student.epochs": 5, "enqueue": list(study.enqueue)})
    made.run()
    assert [trial.params for trial in made.study.get_trials()][: len(distinct)] == distinct
    assert study.student["epochs"] == 5, "they are trained anew"


def test_trials_of_the_file_itself_stay_in_front(begin: Callable[..., tuple[StudyFile, list[dict]]]) -> None:
    own = {"ensemble_size": 1, "teacher_1": "cp_resnet"}
    study, _ = begin(enqueue=[own])
    assert study.enqueue[0] == own
    assert list(study.enqueue).count(own) == 1


def test_trials_outside_of_the_new_space_are_left_out_and_counted(
    begin: Callable[..., tuple[StudyFile, list[dict]]], capsys: pytest.CaptureFixture[str]
) -> None:
    study, params = begin(**{"ensemble.size": [1, 3]})
    outside = sum(each["ensemble_size"] == 2 for each in params)
    assert 0 < outside < len(params)
    assert all(each["ensemble_size"] == 1 for each in study.enqueue)
    assert f"begins with {len(params) - outside} trials of study tiny; {outside} more lie outside of its space" in (
        capsys.readouterr().err
    )


def test_study_none_of_whose_trials_fits_is_refused(begin: Callable[..., tuple[StudyFile, list[dict]]]) -> None:
    with pytest.raises(AscError, match=r"--trials-of tiny: none of its \d finished trials is one of this study's"):
        begin(**{"ensemble.size": 3})


def test_grid_takes_no_trials_and_an_unknown_study_is_named(
    begin: Callable[..., tuple[StudyFile, list[dict]]], study_file: Callable[..., Path], workspace: Path
) -> None:
    with pytest.raises(AscError, match="--trials-of tiny: adds nothing to a grid"):
        begin(sampler="grid", trials=None)
    with pytest.raises(AscError, match=r"did you mean 'tiny'\?"):
        with_trials_of(read_study(study_file()), open_storage(workspace, None), "tinny")
