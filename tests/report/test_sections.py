"""What a report says, and what it says where there is nothing to show."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace

import pytest

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns, number_of
from asc_experiments.report.render.blocks import Chapter, Chart, Commands, Section, Tiles
from asc_experiments.report.render.formats import Format
from asc_experiments.report.render.table import Table
from asc_experiments.report.sections import chapter_of, report_of
from asc_experiments.report.sections.front import answer_figure
from asc_experiments.report.sections.teachers import size_section
from asc_experiments.report.words import ordinal
from asc_experiments.report.writing import render
from asc_experiments.statistics import Evidence
from asc_experiments.statistics.calibration_floor import calibration_floor
from asc_experiments.training import make_recipe
from tests.report.made import (
    CORPUS,
    GROUP_OF,
    SPLIT,
    STUDENTS,
    made_answers,
    made_evidence,
    make_study,
    run,
    with_answers,
)


def section(chapter: Chapter, name: str) -> Section:
    return next(each for each in chapter.sections if each.name == name)


def table(section: Section, caption: str) -> Table:
    return next(each for each in section.blocks if isinstance(each, Table) and each.caption.startswith(caption))


def sentences(section: Section) -> str:
    told = [block for block in section.blocks if isinstance(block, str)]
    told += [block.alternative for block in section.blocks if isinstance(block, Chart)]
    return " ".join([*told, *section.points])


def test_report_opens_with_the_answer(made: StudyRuns) -> None:
    chapter = chapter_of(Findings(made))
    answer = chapter.sections[0]
    best = made.best_first[0]
    which = f"trial {number_of(best)} (the ensemble {made.taught_by(best)})"
    assert answer.title.startswith(f"No winner yet: {which} is highest in accuracy/macro on the validation split, but ")
    chosen = section(chapter, "choice")
    assert f"trial {best.tags['asc.trial']}, the best of 24 finished trials (3 pruned)" in sentences(chosen)
    assert "+4.0 points, 95 % interval [-1.0, +9.0] in the test fold, whose clips chose neither" in sentences(answer)
    assert "On the validation split, whose clips chose it: +5.0 points, 95 % interval [+2.0, +8.0]" in sentences(answer)
    tiles = next(block for block in answer.blocks if isinstance(block, Tiles)).tiles
    overall = 100 * (best.metrics["accuracy/overall"] - 0.01)
    assert (tiles[0].value, tiles[0].spread, tiles[0].note) == (f"{overall:.1f} %", "± 1.2", "mean over 3 fresh seeds")


@pytest.mark.parametrize("seed", [0, 3])
def test_figure_of_the_answer_shows_the_student_beside_labels_alone_and_its_teachers(seed: int) -> None:
    findings = Findings(make_study("s", 12, seed=seed))
    best = findings.runs.best_first[0]
    figure = next(block for block in chapter_of(findings).sections[0].blocks if isinstance(block, Chart))
    bars = {bar["name"]: bar for bar in figure.figure["data"]}
    own = bars.pop(f"trial {number_of(best)}")
    assert own["x"] == ["overall", "real", "seen", "unseen"]
    assert own["y"][0] == pytest.approx(100 * best.metrics["accuracy/overall"])
    assert own["error_y"]["array"][0] == pytest.approx(1.0)
    together = bars.pop("its teachers together" if "its teachers together" in bars else "its teacher")
    assert together["y"][0] == pytest.approx(100 * best.metrics["ensemble/accuracy/overall"])
    assert bars == {}, "nobody learned from labels alone with the same settings"
    assert "Error bars" in figure.alternative


def test_figure_of_the_answer_has_labels_alone_where_the_gain_is_known(made: StudyRuns) -> None:
    findings = Findings(made)
    gain, answer = findings.gains[0], findings.answer
    assert answer is not None
    trial = next(trial for trial in made.trials if number_of(trial) == gain.trial)
    (figure,) = answer_figure(findings, replace(answer, trial=trial))
    assert isinstance(figure, Chart)
    own, alone, _ = figure.figure["data"]
    assert alone["name"] == f"labels alone ({gain.against})"
    assert own["y"][0] - alone["y"][0] == pytest.approx(100 * gain.gains["accuracy/overall"])


def test_page_has_no_plus_minus_where_each_trial_has_one_student() -> None:
    text = render([Findings(make_study(n_trials=6, seeds=1))], Format.html)
    words = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    assert "±" not in words


@pytest.mark.parametrize(
    ("by_rule", "note"),
    [
        (None, "as ptflops counts, within DCASE's 30 M"),
        (29_419_156.0, "as ptflops counts; 29.4 M by torchinfo, within DCASE's 30 M"),
        (30_000_001.0, "as ptflops counts; 30.0 M by torchinfo, over DCASE's 30 M"),
    ],
)
def test_limit_of_macs_is_judged_by_the_challenges_rule_where_it_was_counted(
    made: StudyRuns, by_rule: float | None, note: str
) -> None:
    best, name = made.best_first[0], "complexity/macs_torchinfo"
    counted = {name: by_rule} if by_rule is not None else {}
    runs = [replace(run, metrics={**run.metrics, **counted}) if run is best else run for run in made.runs]
    answer = chapter_of(Findings(replace(made, runs=runs))).sections[0]
    tiles = next(block for block in answer.blocks if isinstance(block, Tiles)).tiles
    assert next(tile for tile in tiles if tile.label == "MACs for one second").note == note


def test_macs_of_longer_clips_are_not_held_against_the_challenges_limit(made: StudyRuns) -> None:
    best = made.best_first[0]
    runs = [replace(run, tags={**run.tags, "asc.clip_seconds": "10"}) if run is best else run for run in made.runs]
    findings = Findings(replace(made, runs=runs))
    tiles = next(block for block in chapter_of(findings).sections[0].blocks if isinstance(block, Tiles)).tiles
    note = next(tile for tile in tiles if tile.label == "MACs for one clip of 10 s").note
    assert note == "as ptflops counts; DCASE's 30 M are for one second"


def test_answer_says_which_student_is_registered_and_what_names_mean(made: StudyRuns) -> None:
    chapter = chapter_of(Findings(made))
    seed = json.loads(made.best_first[0].tags["asc.recipe"])["seed"]
    assert f"that of seed {seed}, the best of them by the objective" in sentences(section(chapter, "choice"))
    assert "dirfms is both" in sentences(section(chapter, "scores"))


def small_teachers(study: StudyRuns, n: int, accuracy: float) -> str:
    """What the answer says where the winner's first teacher keeps to DCASE's limits, with ``n`` of its kind."""
    best = study.best_first[0]
    teacher = study.bank[best.tags["asc.teachers"].split(",")[0]]
    costs = {"complexity/parameters": 100_000.0, "complexity/macs": 20e6, "accuracy/overall": accuracy}
    bank, tables = dict(study.bank), {}
    keys = [teacher.tags["asc.teacher"], *(f"twin{place}" for place in range(1, n))]
    for place, key in enumerate(keys):
        name = teacher.name.replace("-s0", f"-s{place}")
        tags = {**teacher.tags, "asc.teacher": key}
        bank[key] = replace(teacher, run_id=f"t{key}", name=name, tags=tags, metrics=dict(teacher.metrics) | costs)
        tables[f"t{key}"] = {"test": made_evidence([accuracy + 0.001 * place])}
    runs = [
        replace(run, tags={**run.tags, "asc.teachers": ",".join([*run.tags["asc.teachers"].split(","), *keys[1:]])})
        if run.run_id == best.run_id
        else run
        for run in study.runs
    ]

    def evidence(run_id: str, name: str) -> Mapping[str, Evidence]:
        return tables.get(run_id) or study.evidence(run_id, name)

    return sentences(chapter_of(Findings(replace(study, bank=bank, runs=tuple(runs), evidence=evidence))).sections[0])


def test_teachers_that_keep_to_the_limits_and_do_better_are_told(made: StudyRuns) -> None:
    assert "keep to the challenge's limits" not in sentences(chapter_of(Findings(made)).sections[0])
    told = small_teachers(made, 2, 0.99)
    assert (
        "keep to the challenge's limits themselves (100,000 parameters, 20.0 MMACs). accuracy/overall, 2 networks less "
        "the student: +" in told
    )
    assert "ship that teacher" in told


def test_one_teacher_that_seems_better_is_not_recommended(made: StudyRuns) -> None:
    told = small_teachers(made, 1, 0.99)
    assert "how much of that is noise is not known with one seed" in told
    assert "ship that teacher" not in told
    assert "keep to the challenge's limits" not in small_teachers(made, 2, 0.1)


def test_students_and_teachers_stand_under_the_same_columns(made: StudyRuns) -> None:
    scores = section(chapter_of(Findings(made)), "scores")
    students, teachers = table(scores, "Students"), table(scores, "Teachers")
    wanted = ["overall", "real", "seen", "unseen", "DG", *made.devices, "parameters", "MMACs"]
    assert [column.heading for column in students.columns][-len(wanted) :] == wanted
    assert [column.heading for column in teachers.columns][-len(wanted) :] == wanted
    assert len(students.rows) == 24
    assert students.rows[0][4].note == "± 1.0"
    assert students.marked == {0}
    published = table(scores, "Published")
    assert [cell.text for cell in published.rows[0]][:3] == ["a paper", "overall", "55.0"]


def test_question_whether_better_teachers_teach_better_is_answered_beside_what_luck_gives() -> None:
    told = sentences(section(chapter_of(Findings(make_study(n_trials=60))), "teaching"))
    assert "over 50 trials with 12 teachers; luck alone gives -0." in told
    assert "the higher the one, the higher the other" in told


def test_students_above_their_ensembles_are_counted_and_no_more_is_claimed() -> None:
    told = sentences(section(chapter_of(Findings(make_study(n_trials=5))), "teaching"))
    assert re.search(r"In \d of 4 trials the student scored higher, by whatever margin, than the ensemble", told)
    assert "Error bars: standard deviation over seeds." in told
    single = sentences(section(chapter_of(Findings(make_study(n_trials=5, seeds=1))), "teaching"))
    assert "Error bars" not in single


def test_ensembles_of_one_size_do_not_show_how_many_teachers_to_use() -> None:
    study = make_study(n_trials=12)
    by_key = {trial.run_id: trial.tags["asc.teachers"].split(",")[0] for trial in study.trials}
    runs = [
        replace(r, tags=r.tags | {"asc.teachers": by_key[r.run_id]}) if r.run_id in by_key else r for r in study.runs
    ]
    found = size_section(Findings(replace(study, runs=tuple(runs))))
    assert sentences(found).startswith("Every trial with teachers has 1 teacher. A study whose ensembles differ")
    assert found.is_empty
    drawn = size_section(Findings(study)).blocks[0]
    assert isinstance(drawn, Chart)


def test_best_trial_is_told_by_its_number_and_its_place_and_a_grid_has_no_course() -> None:
    study = make_study(n_trials=7, n_pruned=0)
    number = int(study.best_first[0].tags["asc.trial"])
    for sampler in ("random", "grid"):
        found = section(chapter_of(Findings(replace(study, tags={**study.tags, "asc.sampler": sampler}))), "search")
        chart = next(each for each in found.blocks if isinstance(each, Chart) and each.title.startswith("Objective"))
        assert f"is trial {number}, the {ordinal(number + 1)} of 7 finished trials; 0" in chart.alternative
        assert ("best so far" in {trace["name"] for trace in chart.figure["data"]}) == (sampler == "random")
    assert [ordinal(n) for n in (1, 7, 11, 21, 112)] == ["first", "seventh", "11th", "21st", "112th"]


def test_too_few_trials_are_told_instead_of_a_correlation() -> None:
    chapter = chapter_of(Findings(make_study(n_trials=5)))
    told = sentences(section(chapter, "teaching"))
    assert "cannot be said over 4 trials with 8 teachers: too few for a correlation (that needs 8)" in told
    assert "ρ" not in told
    attributes = section(chapter, "attributes")
    assert "not evidence" in sentences(attributes)
    rows = table(attributes, "Attributes").rows
    assert {(row[2].text, row[3].text, row[4].text) for row in rows} == {("", "too few trials", "")}
    assert not [block for block in attributes.blocks if isinstance(block, Chart)]


def test_table_of_attributes_says_what_luck_gives_and_of_how_many_teachers(made: StudyRuns) -> None:
    found = table(section(chapter_of(Findings(made)), "attributes"), "Attributes")
    heads = [column.heading for column in found.columns]
    assert heads[2:7] == ["objective", "luck alone", "p", "verdict", "trials"]
    accuracy = next(row for row in found.rows if row[0].text.startswith("members: mean accuracy"))
    assert accuracy[3].text.startswith("[-0.")
    assert accuracy[5].text == "not clear"
    assert accuracy[7].text == "12"
    assert found.marked == {place for place, row in enumerate(found.rows) if row[4].value and row[4].value <= 0.05}


def test_pruned_trials_that_no_attribute_is_judged_by_are_counted(made: StudyRuns) -> None:
    assert len(made.pruned) == 3
    told = " ".join(section(chapter_of(Findings(made)), "attributes").points)
    assert "3 pruned trials are not in this table" in told
    without = section(chapter_of(Findings(make_study(n_pruned=0))), "attributes").points
    assert "pruned" not in " ".join(without)


def test_one_network_of_a_kind_is_said_not_to_tell_the_kind_from_luck(made: StudyRuns) -> None:
    told = " ".join(section(chapter_of(Findings(made)), "attributes").points)
    assert "Each of the 12 kinds of teachers is here as one network" in told
    assert "3 networks of each, 24 teachers more, would tell" in told


def test_associations_are_not_called_effects(made: StudyRuns) -> None:
    assert "not effects of a single change" in sentences(section(chapter_of(Findings(made)), "attributes"))


def test_what_cannot_be_shown_is_a_sentence_at_the_end() -> None:
    study = make_study(n_trials=1, n_pruned=0, labels_alone=False)
    bare = [
        replace(each, metrics={name: value for name, value in each.metrics.items() if "ece/" not in name})
        for each in study.runs
    ]
    chapter = chapter_of(Findings(replace(study, tags={}, runs=tuple(bare))))
    assert {each.name for each in chapter.sections} == {
        "answer", "scores", "choice", "devices", "gain", "search", "cost", "reproduce", "missing",
    }  # fmt: skip
    missing = section(chapter, "missing")
    assert len(missing.points) == 7
    assert any("did not measure it" in point for point in missing.points)
    assert all(" show" in point.partition(": ")[2] for point in missing.points), "and what would show it"
    assert any("No published figures" in str(block) for block in section(chapter, "scores").blocks)
    assert any("Which parameters matter is not shown" in str(block) for block in section(chapter, "search").blocks)


def test_missing_labels_alone_name_the_command_that_trains_them() -> None:
    study = make_study(n_trials=4, labels_alone=False, seeds=3)
    found = section(chapter_of(Findings(study)), "gain")
    assert "no student learned from labels alone" in sentences(found)
    (line,) = [line for block in found.blocks if isinstance(block, Commands) for _, line in block.lines]
    assert line.startswith("asc student train --corpus DIR --augment none --epochs 20 --seed 1000 --validation 0.2")
    assert "--teachers" not in line
    assert any("whether teachers help at all is not known" in p for p in chapter_of(Findings(study)).sections[0].points)


def test_command_for_labels_alone_makes_the_student_that_gains_are_measured_against() -> None:
    study = make_study(n_trials=1, labels_alone=False)
    (line,) = [
        line
        for block in section(chapter_of(Findings(study)), "gain").blocks
        if isinstance(block, Commands)
        for _, line in block.lines
    ]
    words = dict(zip(*[iter(shlex.split(line)[3:])] * 2, strict=True))
    settings = {"base_channels": int(words["--set"].partition("=")[2])}
    recipe = make_recipe(
        "cp_mobile", words["--augment"], epochs=int(words["--epochs"]), seed=int(words["--seed"]), **settings
    )
    tags = {"asc.recipe": recipe.model_dump_json(), "asc.corpus": CORPUS, "asc.split": SPLIT}
    single = run("alone", "alone", "student", dict(study.trials[0].metrics), tags)
    assert len(Findings(replace(study, singles=(single,))).gains) == 1


@pytest.mark.parametrize(
    ("sampler", "n_trials", "said"),
    [
        ("grid", 24, "cells of a grid, fixed beforehand"),
        ("tpe", 24, "the sampler tried more often what had gone well"),
        ("random", 24, "differ in many things at once. These"),
        ("", 4, "differ in many things at once. These"),
        ("", 24, "a sampler that learns tries more often"),
    ],
)
def test_caution_about_the_sampler_is_for_those_that_learn(sampler: str, n_trials: int, said: str) -> None:
    study = make_study(n_trials=n_trials)
    study = replace(study, tags={**study.tags, **({"asc.sampler": sampler} if sampler else {})})
    cautions = section(chapter_of(Findings(study)), "attributes").points
    assert said in cautions[0]
    assert ("sampler" in cautions[0]) == ("sampler" in said)


def test_calibration_says_which_way_is_better_and_what_entropy_can_be_at_most() -> None:
    study = make_study(n_trials=4)
    scenes = {f"accuracy/scene/{scene}": 0.5 for scene in ("bus", "park", "tram")}
    runs = [replace(each, metrics={**each.metrics, **scenes}) for each in study.runs]
    found = section(chapter_of(Findings(replace(study, runs=tuple(runs)))), "calibration")
    assert "is right; lower is better. It is never 0 in a sample" in sentences(found)
    assert "perfect." not in sentences(found)
    assert table(found, "Expected calibration error").caption.endswith("lower is better")
    assert table(found, "Entropy").caption == "Entropy in nats, at most ln 3 = 1.099"


@pytest.mark.parametrize(("clips", "is_told"), [(20, False), (21, True)])
def test_calibration_is_told_of_devices_with_clips_enough_and_beside_what_a_calibrated_network_shows(
    clips: int, is_told: bool
) -> None:
    study = make_study(n_trials=4)
    answers = {(each.run_id, STUDENTS): made_answers(each, 2, clips=clips) for each in study.trials}
    found = section(chapter_of(Findings(with_answers(study, answers))), "calibration")
    headings = [column.heading for column in table(found, "Expected calibration error").columns]
    assert headings[1] == "overall"
    assert ("s4" in headings) == is_told
    assert "s4" in [column.heading for column in table(found, "Entropy").columns]
    charts = [block for block in found.blocks if isinstance(block, Chart)]
    assert bool(charts) == is_told
    metrics = study.best_first[0].metrics
    floor = calibration_floor(24 * 7 * clips, metrics["accuracy/overall"], 3)
    assert f"would show about {100 * floor:.1f} % on {24 * 7 * clips:,} clips" in sentences(found)
    assert ("fewer than 500 clips are left out" in sentences(found)) != is_told


def test_calibration_of_a_version_that_kept_no_answers_is_told_overall_alone() -> None:
    found = section(chapter_of(Findings(with_answers(make_study(n_trials=4), {}))), "calibration")
    assert [column.heading for column in table(found, "Expected").columns] == ["network", "overall"]
    assert "its clips were not counted. So groups and devices are left out." in sentences(found)


def test_map_of_devices_says_what_its_colours_mean(made: StudyRuns) -> None:
    devices = table(section(chapter_of(Findings(made)), "devices"), "Accuracy per device")
    assert [scale.what for scale in devices.scales] == [
        "accuracy in %, higher is better",
        "DG in points, lower is better",
    ]
    accuracies = [cell for row in devices.rows for cell in row[1:-1]]
    best, worst = (pick(accuracies, key=lambda cell: cell.value or 0.0) for pick in (max, min))
    assert (best.fill, worst.fill) == (devices.scales[0].colours[-1], devices.scales[0].colours[0])
    assert (worst.text, best.text) == (devices.scales[0].low, devices.scales[0].high)


def test_map_of_devices_colours_dg_only_where_students_differ_in_it_by_more_than_noise() -> None:
    study = make_study(n_trials=2, n_pruned=0)
    even, scale = dict.fromkeys(GROUP_OF, 0.6), "DG in points, lower is better"
    for uneven, is_coloured in ((even, False), (even | {"a": 0.9, "s6": 0.3}, True)):
        accuracies = {study.trials[0].run_id: even, study.trials[1].run_id: uneven}
        tables = {
            (run_id, STUDENTS): {"test": made_evidence([each] * 3, number)}
            for number, (run_id, each) in enumerate(accuracies.items())
        }
        report = chapter_of(Findings(with_answers(study, tables)))
        devices = table(section(report, "devices"), "Accuracy per device")
        assert (scale in {each.what for each in devices.scales}) == is_coloured
        assert {bool(row[-1].fill) for row in devices.rows} == {is_coloured}
        assert ("DG has no colours" in devices.caption) != is_coloured


def test_map_of_devices_has_a_hole_where_a_score_is_missing() -> None:
    study = make_study(n_trials=3)
    study.best_first[0].metrics["accuracy/device/a"] = float("nan")  # type: ignore[index]
    devices = table(section(chapter_of(Findings(study)), "devices"), "Accuracy per device")
    assert (devices.rows[0][1].text, devices.rows[0][1].fill) == ("", "")


def test_what_is_the_same_in_every_row_is_said_once() -> None:
    study = make_study(n_trials=24)
    runs = [replace(each, metrics={**each.metrics, "complexity/parameters": 5.0}) for each in study.runs]
    scores = section(chapter_of(Findings(replace(study, runs=tuple(runs)))), "scores")
    students = table(scores, "Students")
    assert "each: 5 parameters" in students.caption
    assert "parameters" not in [column.heading for column in students.columns]
    assert "MMACs" in [column.heading for column in students.columns]
    assert {len(row) for row in students.rows} == {len(students.columns)}


def test_study_without_a_finished_trial_says_so() -> None:
    chapter = chapter_of(Findings(make_study(n_trials=0, n_pruned=2)))
    assert [each.title for each in chapter.sections] == ["No trial has finished"]
    assert "2 pruned" in sentences(chapter.sections[0])


def test_several_studies_open_with_what_they_have_together() -> None:
    studies = [make_study("one", 12), make_study("other", 12, seed=2)]
    report = report_of(list(map(Findings, studies)))
    assert report.title == "one and other"
    together = report.front[0]
    assert [row[0].text for row in table(together, "The best trial").rows] == ["one", "other"]
    assert "the highest of all is trial" in sentences(together)
    assert len(report.chapters) == 2


def test_studies_that_do_not_compare_have_no_best_of_all() -> None:
    studies = [make_study("one", 12), make_study("other", 12, split="test")]
    together = report_of(list(map(Findings, studies))).front[0]
    assert "no best of all is named" in sentences(together)
    assert "Chosen on the test fold, so flattered there: other." in together.points


def test_importances_say_by_what_and_on_which_trials(made: StudyRuns) -> None:
    told = sentences(section(chapter_of(Findings(made)), "search"))
    assert (
        "By fANOVA over 24 finished trials, ensemble_size explains the most of the objective's variance, 50 %" in told
    )
    assert "by PED-ANOVA it also tells the best trials most from the others, 60 %" in told
    assert "only some of these trials have them: distillation.temperature (20)" in told


def test_importances_that_two_methods_do_not_agree_on_are_not_shown(made: StudyRuns) -> None:
    logged = {"trials": 24, "fanova": {"x": 0.98, "y": 0.02}, "ped_anova": {"x": 0.03, "y": 0.97}, "left_out": {}}
    study = replace(made, tags={**made.tags, "asc.importances": json.dumps(logged)})
    found = section(chapter_of(Findings(study)), "search")
    told = sentences(found)
    assert (
        "Which parameters matter is not said: over 24 finished trials, fANOVA gives x the largest share, 98 %" in told
    )
    assert "and PED-ANOVA y, 97 %" in told
    assert not [block for block in found.blocks if isinstance(block, Chart) and "Importance" in block.title]
    assert "Which parameters matter is not said" in " ".join(render([Findings(study)], Format.table).split())
    assert json.loads(render([Findings(study)], Format.json))["importances"]["agree"] is False


def test_importances_of_an_earlier_version_are_not_shown(made: StudyRuns) -> None:
    study = replace(made, tags={**made.tags, "asc.importances": '{"x": 0.97, "y": 0.03}'})
    told = sentences(section(chapter_of(Findings(study)), "search"))
    assert "by PED-ANOVA alone" in told
    assert "97" not in told.partition("Which parameters matter")[2].partition("Launch")[0]


def test_first_figure_is_of_the_students_that_gains_are_of(made: StudyRuns) -> None:
    findings = Findings(made)
    answer = findings.answer
    assert answer is not None
    assert answer.fresh, "it was tried again"
    (figure,) = (block for block in chapter_of(findings).sections[0].blocks if isinstance(block, Chart))
    assert f"trial {answer.number}: overall {100 * answer.fresh['accuracy/overall'].value:.1f}" in figure.alternative
