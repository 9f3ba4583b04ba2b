"""Settings that differ although no column says so are named."""

from dataclasses import replace

from asc_experiments.report.analysis.confounders import hidden_differences, student_differences, teacher_differences
from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.table import Table
from asc_experiments.report.sections import chapter_of
from asc_experiments.training import make_recipe
from tests.report.made import make_study, run


def taught(*recipes: dict[str, object]) -> StudyRuns:
    """A study of one trial with a teacher per recipe."""
    bank = {}
    for number, settings in enumerate(recipes):
        arch, augment = str(settings.pop("arch")), str(settings.pop("augment", "none"))
        recipe = make_recipe(arch, augment, seed=number, **settings)
        params = recipe.flat() | {"augment": recipe.augment, "size": recipe.size}
        tags = {"asc.recipe": recipe.model_dump_json(), "asc.teacher": f"k{number}"}
        bank[f"k{number}"] = run(f"t{number}", recipe.name, "teacher", {}, tags, params)
    study = make_study(n_trials=1, labels_alone=False)
    first = study.trials[0]
    changed = replace(first, tags={**first.tags, "asc.teachers": ",".join(bank)})
    return replace(study, bank=bank, runs=tuple(changed if r.run_id == first.run_id else r for r in study.runs))


def test_learning_rate_of_another_architecture_is_named_with_its_values() -> None:
    study = taught({"arch": "cp_mobile", "learning_rate": 2e-3}, {"arch": "cp_resnet", "learning_rate": 4e-3})
    found = teacher_differences(study)
    assert "learning_rate" in found.settings
    assert found.facts()["cp_mobile-32-none"]["learning_rate"] == "0.002"
    assert found.facts()["cp_resnet-32-none"]["learning_rate"] == "0.004"


def test_method_tells_its_probability_unless_that_differs_within_the_method() -> None:
    same = taught({"arch": "cp_mobile"}, {"arch": "cp_mobile", "augment": "dirfms"})
    assert teacher_differences(same).settings == ()
    other = taught(
        {"arch": "cp_mobile", "augment": "dir"}, {"arch": "cp_mobile", "augment": "dir", "dir_probability": 0.3}
    )
    assert teacher_differences(other).settings == ("dir_probability",)
    assert teacher_differences(other).facts() == {"cp_mobile-32-dir": {"dir_probability": "0.6, 0.3"}}


def test_size_tells_the_channels_and_names_tell_the_seed() -> None:
    study = taught({"arch": "cp_mobile", "base_channels": 16}, {"arch": "cp_mobile", "base_channels": 32})
    assert teacher_differences(study).settings == ()


def test_strength_of_fms_counts_only_where_there_is_fms() -> None:
    study = taught({"arch": "cp_mobile", "fms_alpha": 0.1}, {"arch": "cp_mobile", "fms_alpha": 0.2})
    assert teacher_differences(study).settings == ()


def test_setting_that_one_network_does_not_have_is_no_difference() -> None:
    rows = [("one", {"patchout": 6}), ("two", {}), ("three", {"patchout": None})]
    assert hidden_differences(rows, ()).settings == ()


def test_numbers_that_teachers_were_trained_in_are_a_difference_where_they_are_known() -> None:
    study = taught({"arch": "cp_mobile"}, {"arch": "cp_mobile"}, {"arch": "cp_mobile"})
    assert teacher_differences(study).settings == ()
    bank = {
        key: replace(each, tags={**each.tags, "asc.number_format": told}) if told else each
        for (key, each), told in zip(study.bank.items(), ("float32", "bfloat16", ""), strict=True)
    }
    found = teacher_differences(replace(study, bank=bank))
    assert found.settings == ("number_format",)
    assert found.facts()["cp_mobile-32-none"]["number_format"] == "float32, bfloat16"


def test_students_differ_in_what_was_searched(made: StudyRuns) -> None:
    found = student_differences(made)
    assert found.settings == ("temperature",)
    assert set(found.facts()) == {f"trial {number}" for number in range(24)}


def test_page_names_the_difference_in_the_answer_and_shows_its_values_beside_the_scores() -> None:
    study = taught({"arch": "cp_mobile", "learning_rate": 2e-3}, {"arch": "cp_mobile", "learning_rate": 5e-3})
    chapter = chapter_of(Findings(study))
    assert any("learning_rate" in point for point in chapter.sections[0].points)
    scores = next(section for section in chapter.sections if section.name == "scores")
    shown = [block for block in scores.blocks if isinstance(block, Table) and "differ in" in block.caption]
    assert [column.heading for column in shown[0].columns] == ["teachers", "learning_rate"]
    assert [cell.text for cell in shown[0].rows[0]] == ["cp_mobile-32-none", "0.002, 0.005"]
