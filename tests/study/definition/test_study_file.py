"""Study files are read strictly: the key, the reason, the nearest valid name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.base.yaml import parse_yaml
from asc_experiments.corpus import ValidationSplit
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.study.search.whole_file import read_whole_study

Write = Callable[..., Path]


def check(path: Path) -> StudyFile:
    study = read_study(path)
    SearchSpace(study).check(str(path))
    return study


def test_fixed_choices_and_ranges_are_read(study_file: Write) -> None:
    study = check(study_file(student="{base_channels: {low: 8, high: 16, step: 8}, epochs: 2}"))
    assert study.ensemble.size == (1, 2)
    assert study.validation.fraction == 0.3


@pytest.mark.parametrize(("text", "key"), [("(: 1", "("), ("(a): {b: 1}", "(a)"), ("'': 1", "")])
def test_unknown_key_of_any_characters_is_named(study_file: Write, text: str, key: str) -> None:
    path = study_file()
    path.write_text(f"{path.read_text()}\n{text}\n")
    with pytest.raises(AscError, match=re.escape(f"unknown key '{key}'")):
        read_study(path)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"trails": "3"}, r"unknown key 'trails'; did you mean 'trials'\?"),
        ({"trials": "many"}, r"'trials' is 'many'"),
        ({"trials": "0"}, r"'trials' is 0"),
        ({"sampler": "grit"}, r"'sampler' is 'grit'"),
        ({"objective": "{metrik: accuracy/macro}"}, r"unknown key 'objective\.metrik'; did you mean 'metric'\?"),
        ({"ensemble": "{size: 1, pool: []}"}, r"ensemble\.pool"),
        ({"ensemble": "{size: 33, pool: [{arch: passt}]}"}, r"a whole number from 0 to 32, not 33"),
        ({"ensemble": "{size: 1, pool: [{base_channels: 8}]}"}, r"entry 1 of the pool needs an arch"),
        ({"ensemble": "{size: 1, pool: [{arch: cp_mobil}]}"}, r"unknown architecture 'cp_mobil'.*'cp_mobile'"),
        ({"ensemble": "{size: 1, pool: [{arch: passt}, {arch: passt}]}"}, r"two kinds .* 'passt'"),
        ({"ensemble": "{size: 1, pool: [{arch: passt, augment: [none, dirfm]}]}"}, r"unknown augment 'dirfm'"),
        ({"student": "{base_channel: 8}"}, r"no 'base_channel'; did you mean 'base_channels'\?"),
        ({"student": "{epochs: {low: 5, high: 5}}"}, r"the range from 5 to 5 is empty"),
        ({"student": "{epochs: []}"}, r"student\.epochs"),
        ({"student": "{learning_rate: 0}"}, r"learning_rate.* is 0"),
        ({"distillation": "{temperatur: 2}"}, r"unknown key 'temperatur'; did you mean 'temperature'\?"),
        ({"validation": "{fraction: 0}"}, r"validation\.fraction above 0"),
        ({"name": "teachers"}, r"'teachers' is taken"),
        ({"name": "../escape"}, r"'name': '\.\./escape' is no name for a study"),
        ({"enqueue": "[{ensemble_sise: 1}]"}, r"'ensemble_sise' is no parameter.*'ensemble_size'"),
        ({"enqueue": "[{ensemble_size: 7}]"}, r"ensemble_size is 7; valid: 1, 2"),
        ({"enqueue": "[{ensemble_size: true}]"}, r"ensemble_size is True; valid: 1, 2"),
        ({"student": "{where: 3}"}, r"no 'where'"),
        (
            {"ensemble": "{size: {low: 1, high: 3, step: 0.5}, pool: [{arch: passt}]}"},
            r"number of teachers is a? ?whole",
        ),
        ({"ensemble": "{size: 1, pool: [{arch: passt, name: 'a (b)'}]}"}, r"'a \(b\)' is no name"),
        ({"ensemble": "{size: 1, pool: [{arch: cp_resnet, base_channels: {low: 16, high: 32}}]}"}, r"multiple of 2"),
        ({"against": "{metric: accuracy/macro}"}, r"the two objectives are the same; trade against another metric"),
        ({"against": "{metrik: complexity/macs}"}, r"unknown key 'against\.metrik'; did you mean 'metric'\?"),
        (
            {"against": "{metric: complexity/macs}", "pruner": "median"},
            r"two objectives cannot prune",
        ),
        ({"against": "{metric: complexity/macs}", "sampler": "gp"}, r"gp takes one objective here; use nsga2 or tpe"),
        ({"objective": "{metric: complexity/macs}"}, r"is a complexity; make it the one to trade against"),
        (
            {"constraints": "{complexity/mac: 1}"},
            r"'complexity/mac' cannot be limited; .*'complexity/macs'\?",
        ),
        ({"constraints": "{complexity/macs: 0}"}, r"limit of complexity/macs must be above 0, not 0"),
        ({"constraints": "{complexity/macs: few}"}, r"'constraints\.complexity/macs.*' is 'few'"),
        ({"replicate": "{best: 0}"}, r"'replicate\.best' is 0"),
        ({"replicate": "{seed: 3}"}, r"unknown key 'replicate\.seed'; did you mean 'seeds'\?"),
        ({"published": "[{name: ours}]"}, r"'published\.0\.metrics' is missing"),
        ({"published": "[{name: ours, metrics: {accuracy/macro: high}}]"}, r"metrics\.accuracy/macro' is 'high'"),
        ({"published": "[{name: ours, params: {ensemble_size: 3}, metrics: {}}]"}, r"'ours': ensemble_size is 3"),
        ({"scales": "{small: 3}"}, r"'scales\.small' is 3"),
        ({"sampler": "grid", "enqueue": "[{ensemble_size: 1}]"}, r"a grid runs every cell by itself; remove enqueue"),
        ({"objective": "{split: test}", "pruner": "median"}, r"pruning needs a validation split"),
        (
            {"ensemble": "{pool: [{arch: passt}], rule: [mean_logits, accuracy_weighted]}"}
            | {"validation": "{fraction: 0}", "objective": "{split: test}"},
            r"rule accuracy_weighted needs a validation split",
        ),
        (
            {"ensemble": "{size: 1, pool: [{arch: passt, embed_dim: [96, 100], num_heads: [4, 8]}]}"},
            r"embed_dim 100 is not a multiple of num_heads 8",
        ),
    ],
)
def test_mistake_is_one_line_with_the_key_and_the_remedy(
    study_file: Write, replaced: dict[str, str], message: str
) -> None:
    # a group on its own line is replaced whole
    path = study_file(**replaced)
    if "ensemble" in replaced:
        lines = [line for line in path.read_text().splitlines() if not line.startswith(" ")]
        path.write_text("\n".join(lines))
    with pytest.raises(AscError, match=message) as caught:
        check(path)
    assert "\n" not in caught.value.line()
    assert str(path) in caught.value.line()


MISTAKES = """
name: 7
trails: 3
validation: {fraction: much, hold_out_devices: [s3, 4]}
ensemble:
  size: [1, 2]
  pool:
    - {arch: cp_mobile, base_channel: 8}
    - {arch: cp_resnet, learning_rate: 0}
student: {base_channels: x, epoch: [2, [3]]}
distillation: {temperatur: 3}
"""


def test_all_mistakes_of_a_file_are_told_at_once_in_plain_words(tmp_path: Path) -> None:
    (path := tmp_path / "x.yaml").write_text(MISTAKES)
    with pytest.raises(AscError) as caught:
        read_whole_study(path)
    lines = [each.line().removeprefix(f"{path}: ") for each in caught.value.each()]
    assert lines == [
        "'name' is 7; give a text (a number in quotes)",
        "'validation.fraction' is 'much'; give a number",
        "'validation.hold_out_devices.1' is 4; give a text (a number in quotes)",
        "'student.epoch.1' is [3]; give a text, a number, true or false",
        "unknown key 'trails'; did you mean 'trials'?",
        "ensemble.pool, cp_mobile: a cp_mobile recipe has no 'base_channel'; did you mean 'base_channels'?",
        "ensemble.pool, cp_resnet: 'learning_rate' is 0; give above 0.0",
        "student: 'base_channels' is 'x'; give a whole number",
        "distillation: unknown key 'temperatur'; did you mean 'temperature'?",
    ]


WHATEVER_CAN_BE_KNOWN_WITHOUT_A_CORPUS = """
name: bad
trails: 3
seeds: 0
objective: {metric: acuracy/macro, split: tset}
validation: {fraction: 1.5}
ensemble:
  size: {low: 0, high: 1}
  common: {batch_size: 64}
  pool:
    - {name: resnet fms, arch: cp_resnet, augment: fmss}
    - {name: mobile_dir, arch: cp_mobile, epoch: 3}
student: {epochs: twelve}
distillation: {temprature: 2.0}
enqueue: [{ensembel_size: 0}]
"""


def test_names_recipes_trials_and_metrics_are_told_with_the_mistakes_of_the_groups_around_them(tmp_path: Path) -> None:
    (path := tmp_path / "x.yaml").write_text(WHATEVER_CAN_BE_KNOWN_WITHOUT_A_CORPUS)
    with pytest.raises(AscError) as caught:
        read_whole_study(path)
    lines = [each.line().removeprefix(f"{path}: ") for each in caught.value.each()]
    assert lines == [
        "'objective.split' is 'tset'; valid: 'validation' or 'test'",
        "'seeds' is 0; give at least 1",
        "'validation.fraction' is 1.5; give at most 0.5",
        "'ensemble': 'resnet fms' is no name for a kind of teachers; use letters, digits, _ and -",
        "unknown key 'trails'; did you mean 'trials'?",
        "ensemble.pool, resnet_fms: unknown augment 'fmss'; did you mean 'fms'?",
        "ensemble.pool, mobile_dir: a cp_mobile recipe has no 'epoch'; did you mean 'epochs'?",
        "student: 'epochs' is 'twelve'; give a whole number",
        "distillation: unknown key 'temprature'; did you mean 'temperature'?",
        "enqueue: 'ensembel_size' is no parameter of that trial; did you mean 'ensemble_size'?",
        "objective: unknown metric 'acuracy/macro'; did you mean 'accuracy/macro'?",
    ]


def test_mistakes_of_a_pool_are_told_where_kinds_of_one_name_hide_which_trials_there_are(tmp_path: Path) -> None:
    text = WHATEVER_CAN_BE_KNOWN_WITHOUT_A_CORPUS.replace("mobile_dir", "twice").replace("resnet fms", "twice")
    (path := tmp_path / "x.yaml").write_text(text)
    with pytest.raises(AscError) as caught:
        read_whole_study(path)
    said = "\n".join(each.line() for each in caught.value.each())
    for part in ("two kinds of teachers are called 'twice'", "'epochs' is 'twelve'", "unknown key 'temprature'"):
        assert part in said
    assert "ensembel_size" not in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"ensemble": "3"},
        {"validation": "[1]"},
        {"objective": "3"},
        {"student": "text"},
        {"enqueue": "3"},
        {"published": "[3]"},
        {"scales": "[3]"},
        {"validation": "{hold_out_devices: 3}"},
        {"name": ""},
    ],
)
def test_no_mistake_is_told_in_words_of_the_library_that_finds_it(study_file: Write, wrong: dict[str, str]) -> None:
    path = study_file(**wrong)
    if "ensemble" in wrong:
        path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith(" ")))
    with pytest.raises(AscError) as caught:
        check(path)
    for word in (
        "valid tuple",
        "instance of",
        "'the file'",
        "dictionary",
        "input should",
        "Objective",
        "another value",
    ):
        assert word not in caught.value.line()


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"validation": {"fraction": 0.2, "hold_out_devices": "s3"}}, {"validation.hold_out_devices": ["s3"]}),
        ({"objective": "accuracy/overall"}, {"objective": {"metric": "accuracy/overall"}}),
        ({"against": "complexity/macs"}, {"against": {"metric": "complexity/macs"}}),
        ({"enqueue": {"ensemble_size": 1}}, {"enqueue": [{"ensemble_size": 1}]}),
        ({"ensemble.pool": ["passt", "cp_resnet"]}, {"ensemble.pool": [{"arch": "passt"}, {"arch": "cp_resnet"}]}),
        ({"ensemble.pool": {"arch": "passt"}}, {"ensemble.pool": [{"arch": "passt"}]}),
    ],
)
def test_what_plainly_means_the_same_is_taken_as_meant(study_file: Write, short: dict, long: dict) -> None:
    base = {"validation.fraction": 0.2}
    assert read_study(study_file(), base | short) == read_study(study_file(), base | long)


def test_file_that_is_no_yaml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: x\n  trials: [1\n")
    with pytest.raises(AscError, match=r"bad\.yaml line 2"):
        read_study(tmp_path / "bad.yaml")


def test_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AscError, match="no such file"):
        read_study(tmp_path / "nowhere.yaml")


def test_overrides_reach_nested_settings(study_file: Write) -> None:
    study = read_study(study_file(), {"student.epochs": 7, "validation.seed": 3, "ensemble.common.epochs": 5})
    assert study.student["epochs"] == 7
    assert study.validation.seed == 3
    assert study.ensemble.common["epochs"] == 5


CHANGES_NOTHING = {
    "trials": 99,
    "description": "other words",
    "citation": "someone",
    "published": [{"name": "theirs", "metrics": {"accuracy/macro": 0.5}}],
    "replicate": {"best": 2},
    "scales": {"small": {"trials": 1}},
}
CHANGES_TRIALS = {
    "name": "other",
    "student.epochs": 9,
    "seeds": 2,
    "against": {"metric": "complexity/macs"},
    "constraints": {"complexity/macs": 1_000},
    "ensemble.rule": "mean_probabilities",
    "enqueue": [{"ensemble_size": 1}],
    "sampler_seed": 1,
}


@pytest.mark.parametrize("key", CHANGES_NOTHING)
def test_what_changes_no_trial_may_change_while_a_study_goes_on(study_file: Write, key: str) -> None:
    changed = read_study(study_file(), {key: CHANGES_NOTHING[key]})
    assert changed != read_study(study_file())
    assert changed.definition_digest() == read_study(study_file()).definition_digest()


@pytest.mark.parametrize("key", CHANGES_TRIALS)
def test_what_changes_a_trial_makes_another_study(study_file: Write, key: str) -> None:
    changed = read_study(study_file(), {key: CHANGES_TRIALS[key]})
    assert changed.definition_digest() != read_study(study_file()).definition_digest()


def test_objectives_have_their_direction_and_their_name_in_the_tracking_server(study_file: Write) -> None:
    study = check(study_file(against="{metric: complexity/macs}", constraints="{complexity/macs: 30_000_000}"))
    assert [each.logged_name for each in study.objectives] == ["validation/accuracy/macro", "complexity/macs"]
    assert [each.direction for each in study.objectives] == ["maximize", "minimize"]
    against = check(study_file(against="{metric: device_generalization, split: test}")).against
    assert against is not None
    assert (against.logged_name, against.direction) == ("device_generalization", "minimize")


SCALES = "{small: {trials: 2, student.epochs: 1, ensemble.common: {epochs: 1}}, smallest: {trials: 1}}"


def test_scale_changes_settings_and_ends_the_name(study_file: Write) -> None:
    path = study_file(scales=SCALES)
    study = read_study(path, scale="small")
    assert (study.name, study.trials, study.student["epochs"]) == ("tiny-small", 2, 1)
    assert study.ensemble.common == {"epochs": 1}, "a group is replaced whole"
    assert study.student["base_channels"] == 8, "a dotted name replaces one setting"
    assert read_study(path).name == "tiny"


def test_overrides_come_after_the_scale(study_file: Write) -> None:
    overrides = {"trials": 7, "name": "mine", "ensemble.common.batch_size": 32}
    study = read_study(study_file(scales=SCALES), overrides, "small")
    assert (study.name, study.trials) == ("mine", 7)
    assert study.ensemble.common == {"epochs": 1, "batch_size": 32}


@pytest.mark.parametrize(
    ("scales", "message"),
    [(SCALES, r"--scale smal: is not a scale of .*tiny\.yaml; did you mean 'small'\?"), ("{}", r"is not a scale of")],
)
def test_unknown_scale_is_one_line(study_file: Write, scales: str, message: str) -> None:
    with pytest.raises(AscError, match=message):
        read_study(study_file(scales=scales), scale="smal")


def test_scale_is_read_as_strictly_as_the_file(study_file: Write) -> None:
    """Also where nobody asks for that scale: the mistake should not wait for somebody who does."""
    with pytest.raises(AscError, match=r"scales\.small: unknown key 'trails'; did you mean 'trials'\?"):
        read_study(study_file(scales="{small: {trails: 3}}"))
    with pytest.raises(AscError, match=r"scales\.tiny student\.epochs\.low: 'epochs' is not a group of settings"):
        read_study(study_file(scales="{tiny: {student.epochs.low: 1}}"))


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_any_text_is_a_study_or_a_clear_error(text: str) -> None:
    try:
        values = parse_yaml(text, "x")
        StudyFile.parse(values, "x")
    except AscError as error:
        assert "\n" not in error.line()


def test_definition_of_a_study_keeps_its_digest_in_storages(study_file: Write) -> None:
    assert read_study(study_file()).definition_digest() == "a5f91123b4a3b1a5ac1f37ea2d71acbb"


def test_new_setting_of_study_files_that_is_off_changes_no_digest(study_file: Write) -> None:
    class SplitToCome(ValidationSplit):
        counts_all: bool = False

    class StudyFileToCome(StudyFile):
        warm_starts: tuple[str, ...] = ()
        validation: SplitToCome = SplitToCome(fraction=0.2)

    study = read_study(study_file())
    values = study.model_dump()
    assert StudyFileToCome(**values).definition_digest() == study.definition_digest()
    assert StudyFileToCome(**values, warm_starts=("other",)).definition_digest() != study.definition_digest()
    values["validation"]["counts_all"] = True
    assert StudyFileToCome(**values).definition_digest() != study.definition_digest()


def test_each_definition_has_a_digest_of_its_own(study_file: Write) -> None:
    """Also those whose values look as if they were off, and are not what is meant without them."""
    definitions: list[dict[str, object]] = [
        {}, {"ensemble.size": None}, {"ensemble.size": 0}, {"ensemble.rule": "mean_probabilities"}, {"student": {}},
        {"student": {"roll": 0}}, {"validation": {"fraction": 0.2}}, {"validation": {"fraction": 0.2, "seed": 1}},
        {"seeds": 2}, {"sampler": "tpe"}, {"constraints": {"complexity/macs": 1.0}},
    ]  # fmt: skip
    assert len({read_study(study_file(), each).definition_digest() for each in definitions}) == len(definitions)


def test_wrong_settings_and_wrong_trials_are_told_at_once_and_each_once(study_file: Write) -> None:
    wrong = study_file(student="{base_chanels: 8}", enqueue="[{ensemble_size: 7}, {ensemble_size: 1}]")
    with pytest.raises(AscError) as caught:
        SearchSpace(read_study(wrong)).check(str(wrong))
    told = [each.what for each in caught.value.each()]
    assert len(told) == 2
    assert "base_chanels" in told[0]
    assert "ensemble_size is 7" in told[1]
