"""What int8 costs is told where the winner was exported; else how to find out."""

import json
from dataclasses import replace

from asc_experiments.edge import order
from asc_experiments.edge.export import FOLDER as LOGGED_UNDER
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.exports import FOLDER, FORMATS
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.blocks import Commands, Section, Tiles
from asc_experiments.report.render.table import Table
from asc_experiments.report.sections import chapter_of
from tests.report.made import make_study

SCORES = {
    "accuracy/overall": 0.70,
    "accuracy/group/unseen": 0.6,
    "accuracy/device/a": 0.8,
    "device_generalization": 0.1,
}
INT8 = {"accuracy/overall": 0.69, "accuracy/device/a": 0.75, "weight_bytes": 126_988.0, "file_bytes": 139_275.0}


def exported(seed: int, **files: dict[str, float]) -> StudyRuns:
    """A study in which the winner's student of a seed was exported to these files."""
    study = make_study(n_trials=4, seeds=2)
    best = study.best_first[0]
    logged = {f"export/{file}/{name}": value for file, metrics in files.items() for name, value in metrics.items()}
    runs = [
        replace(run, metrics={**run.metrics, **SCORES, **logged}) if run.run_id == f"{best.run_id}-seed-{seed}" else run
        for run in study.runs
    ]
    return replace(study, runs=tuple(runs))


def answer(study: StudyRuns) -> Section:
    """The section that says how to use the best trial's student."""
    return next(each for each in chapter_of(Findings(study)).sections if each.name == "choice")


def words(section: Section) -> str:
    return " ".join(block for block in section.blocks if isinstance(block, str))


def lines(section: Section) -> list[str]:
    return [line for block in section.blocks if isinstance(block, Commands) for _, line in block.lines]


def test_names_are_those_that_the_export_logs_under() -> None:
    assert FOLDER == LOGGED_UNDER
    assert list(FORMATS) == [order.FLOAT, order.INT8, order.FINE_TUNED]


def test_int8_of_the_registered_student_stands_beside_its_float_network() -> None:
    found = answer(exported(1_000, onnx_int8=INT8))
    assert "reaches 69.0 % of the test clips, -1.0 points to the 70.0 % of the float network" in words(found)
    table = next(block for block in found.blocks if isinstance(block, Table) and "as files" in block.caption)
    device = [column.heading for column in table.columns].index("a")
    assert [row[0].text for row in table.rows] == ["PyTorch, float32", "ONNX, int8"]
    assert [row[device].text for row in table.rows] == ["80.0", "75.0"]
    assert table.rows[1][1].text == "126,988"
    assert not any("asc export" in line for line in lines(found))


def test_files_are_those_of_the_student_that_is_registered() -> None:
    study = exported(1_001, onnx_int8=INT8)
    best = study.best_first[0]
    recipe = json.loads(best.tags["asc.recipe"]) | {"seed": 1_001}
    other = replace(best, tags={**best.tags, "asc.recipe": json.dumps(recipe)})
    study = replace(study, runs=tuple(other if run.run_id == best.run_id else run for run in study.runs))
    assert "reaches 69.0 %" in words(answer(study))


def test_what_was_not_exported_names_the_command_that_tells() -> None:
    study = make_study(n_trials=4)
    number = study.best_first[0].tags["asc.trial"]
    assert lines(answer(study))[0] == f"asc export models:/m-{number} --int8 --corpus DIR -o student.onnx"


def test_float_file_alone_does_not_say_what_int8_costs() -> None:
    found = answer(exported(1_000, onnx_float=SCORES))
    assert any(row[0].text == "ONNX, float32" for b in found.blocks if isinstance(b, Table) for row in b.rows)
    assert any("--int8" in line for line in lines(found))


def test_file_that_was_never_tested_and_another_students_say_nothing() -> None:
    for study in (exported(1_000, onnx_int8={"weight_bytes": 1.0}), exported(1_001, onnx_int8=INT8)):
        assert "as an int8 file" not in words(answer(study)).lower()


def test_size_is_called_that_of_the_weights() -> None:
    first = chapter_of(Findings(make_study(n_trials=4))).sections[0]
    tiles = next(block for block in first.blocks if isinstance(block, Tiles)).tiles
    assert next(tile for tile in tiles if tile.label == "parameters").note.startswith("weights at int8: ")
