"""A study resumes as it was begun, or says in what it does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import Corpus
from asc_experiments.corpus.index import REFERENCE_FILE
from asc_experiments.distill import TrainingContext
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.runner.validation import check_corpus_for
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.study.storage.trial_status import KEY_SCHEMA
from asc_experiments.tracking.trials import NUMBER_FORMAT
from asc_experiments.training import precision


def test_study_that_resumes_in_other_numbers_says_so(
    driver: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision, "_multiplies_bfloat16", lambda: True)
    assert driver().study.user_attrs[NUMBER_FORMAT] == "bfloat16"
    driver()
    assert "resumes in" not in capsys.readouterr().err
    monkeypatch.setenv("ASC_PRECISION", "float32")
    assert driver().study.user_attrs[NUMBER_FORMAT] == "bfloat16"
    assert "study tiny: was begun in bfloat16 and resumes in float32: its networks have" in capsys.readouterr().err


def test_optuna_knows_what_its_values_are(driver: Callable[..., Driver], recwarn: pytest.WarningsRecorder) -> None:
    assert driver().study.metric_names == ["validation/accuracy/macro"]
    assert driver().study.metric_names == ["validation/accuracy/macro"]
    assert not [each for each in recwarn if "experimental" in str(each.message)]


def test_study_of_dir_does_not_resume_with_another_reference_device(
    open_bench: Callable[..., TrainingContext], study_file: Callable[..., Path], workspace: Path, corpus_copy: Path
) -> None:
    study = read_study(study_file())

    def open_() -> Driver:
        return Driver(study, open_bench(study.validation, corpus_copy), open_storage(workspace, None))

    open_()
    (corpus_copy / REFERENCE_FILE).write_text("b")
    with pytest.raises(AscError, match=r"study 'tiny': was begun with other reference device; give it another name"):
        open_()


def test_study_with_keys_of_another_schema_is_not_continued(driver: Callable[..., Driver]) -> None:
    driver().study.set_user_attr(KEY_SCHEMA, "3")
    with pytest.raises(AscError, match="was begun by another version, whose networks have other keys; its report"):
        driver()


def test_everything_that_a_study_lacks_in_its_corpus_is_told_at_once(synth_corpus: Path) -> None:
    values = {
        "name": "lacking",
        "objective": {"metric": "accuracy/device/s9", "split": "test"},
        "validation": {"fraction": 0.2, "hold_out_devices": ["s3", "s6", "s7"]},
        "ensemble": {"pool": [{"arch": "cp_mobile", "augment": "dir"}]},
        "student": {"augment": "none"},
    }
    study, corpus = StudyFile.parse(values, "lacking.yaml"), Corpus.open(synth_corpus)
    with pytest.raises(AscError) as caught:
        check_corpus_for(study, corpus, has_responses=False)
    lines = [each.line() for each in caught.value.each()]
    assert lines[0].startswith("hold_out_devices: no training clip is from device 's6'; ")
    assert lines[1].startswith("hold_out_devices: no training clip is from device 's7'; ")
    assert lines[2].startswith("study 'lacking': objective: unknown metric 'accuracy/device/s9' on the test split")
    assert "DIR needs impulse responses; give --dirs a folder" in lines[3]
    assert "`asc corpus synth` makes some for trying" in lines[3]
    assert "set augment to fms or none" in lines[3]
    assert len(lines) == 4
    fits = values | {
        "objective": "accuracy/group/unseen",
        "validation": {"fraction": 0.2, "hold_out_devices": ["s3"]},
    }
    check_corpus_for(StudyFile.parse(fits, "fits.yaml"), corpus, has_responses=True)


SHIPPED = {path.stem: path for path in sorted((Path(__file__).parents[3] / "studies").glob("*.yaml"))}
SCALES = [(name, scale) for name, path in SHIPPED.items() for scale in (None, *read_study(path).scales)]


@pytest.mark.parametrize(("name", "scale"), SCALES)
def test_shipped_study_asks_nothing_of_a_corpus_that_one_in_the_layout_lacks(
    synth_corpus: Path, name: str, scale: str | None
) -> None:
    check_corpus_for(read_study(SHIPPED[name], scale=scale), Corpus.open(synth_corpus), has_responses=True)


def test_objective_of_devices_that_no_held_out_clip_is_of_says_what_to_hold_out(driver: Callable[..., Driver]) -> None:
    objective = "{metric: accuracy/group/unseen}"
    with pytest.raises(AscError) as caught:
        driver(objective=objective, validation="{fraction: 0.1, hold_out_devices: [s1], seed: 2}")
    assert caught.value.what.startswith("accuracy/group/unseen would be of no clip: none of the ")
    assert "held_out_device_clips=most" in caught.value.remedy
    assert "--scale small" not in caught.value.remedy, "there is none"
    driver(objective=objective, validation="{fraction: 0.3, hold_out_devices: [s1], seed: 2}")


def test_other_number_of_seeds_names_what_trains_more_students(driver: Callable[..., Driver]) -> None:
    driver({"seeds": 2})
    with pytest.raises(AscError, match=r"seeds was 2 and is 5.* more students of its best trials: replicate: "):
        driver({"seeds": 5})
    with pytest.raises(AscError) as other:
        driver({"seeds": 2, "student.epochs": 7})
    assert "replicate" not in other.value.line()
