"""Which teachers a trial may take, and how many: said in one of three ways, checked in one line."""

import pytest

from asc_experiments.base.errors import AscError
from asc_experiments.study.definition.ensemble_space import EnsembleSpace
from asc_experiments.study.definition.parameter_range import Range

POOL = [{"name": "cpr", "arch": "cp_resnet"}, {"arch": "passt"}, {"name": "old", "keys": ["1f", "2e"]}]


def parse(**values: object) -> EnsembleSpace:
    return EnsembleSpace.parse({"pool": POOL} | values, "x.yaml")


@pytest.mark.parametrize(
    "values",
    [
        {"size": {"low": 0, "high": 4}},
        {"counts": {"cpr": {"low": 0, "high": 3}, "passt": [0, 3], "old": 2}},
        {"teams": {"none": {"cpr": 0}, "nobody": {}, "both": {"cpr": 3, "passt": 3}, "old": {"old": 2}}},
        {"rule": ["mean_logits", "mean_probabilities", "accuracy_weighted"]},
    ],
)
def test_each_way_of_saying_how_many_is_read(values: dict[str, object]) -> None:
    assert list(parse(**values).kinds()) == ["cpr", "passt", "old"]


def test_kinds_have_their_own_settings_over_the_common_ones() -> None:
    pool = [{"name": "cpr", "arch": "cp_resnet", "epochs": [5, 7]}, {"keys": ["1f"]}]
    kinds = parse(pool=pool, common={"epochs": 3, "learning_rate": {"low": 1e-4, "high": 1e-2}}).kinds()
    assert kinds["cpr"].settings == {
        "arch": "cp_resnet",
        "epochs": (5, 7),
        "learning_rate": Range(low=1e-4, high=1e-2),
    }
    assert (kinds["banked"].keys, kinds["banked"].settings) == (("1f",), {})


def test_common_settings_may_say_the_architecture() -> None:
    kinds = parse(pool=[{"name": "dir", "augment": "dir"}, {"name": "fms"}, {"keys": "1f"}], common={"arch": "passt"})
    made = kinds.kinds()
    assert [made[name].settings.get("arch") for name in made] == ["passt", "passt", None]
    with pytest.raises(AscError, match="two kinds of teachers are called 'passt'; give each its own name"):
        parse(pool=[{"augment": "dir"}, {"augment": "fms"}], common={"arch": "passt"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 1, "counts": {"cpr": 1}}, r"size and counts exclude each other; keep one"),
        ({"size": 1, "teams": {"a": {"cpr": 1}}}, r"size and teams exclude each other"),
        ({"counts": {"cpr": 1}, "teams": {"a": {"cpr": 1}}}, r"counts and teams exclude each other"),
        ({"counts": {"crp": 1}}, r"counts names 'crp', which is not in the pool; did you mean 'cpr'\?"),
        ({"teams": {"a": {"cpr": 1, "past": 2}}}, r"team 'a' names 'past', .*did you mean 'passt'\?"),
        ({"counts": {"cpr": 33}}, r"counts: the number of 'cpr' is a whole number from 0 to 32, not 33"),
        ({"counts": {"cpr": -1}}, r"whole number from 0 to 32, not -1"),
        ({"counts": {"cpr": True}}, r"whole number from 0 to 32, not True"),
        ({"counts": {"cpr": {"low": 0, "high": 2, "step": 0.5}}}, r"number of 'cpr' is whole"),
        ({"counts": {"cpr": {"low": 0.5, "high": 2}}}, r"whole number from 0 to 32, not 0\.5"),
        ({"counts": {"old": [0, 3]}}, r"counts: the number of 'old' is a whole number from 0 to 2, not 3"),
        ({"teams": {"a": {"old": 3}}}, r"team 'a': the number of 'old' is a whole number from 0 to 2, not 3"),
        ({"teams": {"a": {"cpr": [1, 2]}}}, r"'teams\.a\.cpr' is \[1, 2\]"),
        ({"teams": {}}, r"teams is empty; name at least one kind"),
        ({"counts": {}}, r"counts is empty; name at least one kind"),
        ({"rule": "mean_logit"}, r"unknown rule 'mean_logit'; did you mean 'mean_logits'\?"),
        ({"rule": ["mean_logits", "median"]}, r"unknown rule 'median'; valid: accuracy_weighted, mean_logits"),
        ({"size": -1}, r"number of teachers is a whole number from 0 to 32, not -1"),
        ({"pool": []}, r"'pool' is \[\]"),
        ({"pool": [{"augment": "none"}]}, r"entry 1 of the pool needs an arch .* or keys"),
        ({"pool": [{"arch": "passt", "keys": ["1f"]}]}, r"entry 1 of the pool needs an arch .* or keys"),
        ({"pool": [{"arch": ["passt", "cp_mobile"]}]}, r"entry 1 of the pool needs an arch"),
        ({"pool": [{"name": "a", "keys": ["1f"], "augment": "none"}]}, r"'a' has keys .*; 'augment' cannot be set"),
        ({"pool": [{"keys": ["1f", "2e", "1f"]}]}, r"'banked' names a key twice"),
        ({"pool": [{"keys": []}]}, r"keys"),
        ({"pool": [{"keys": ["1f"]}, {"keys": ["2e"]}]}, r"two kinds of teachers are called 'banked'"),
        ({"sise": 1}, r"unknown key 'sise'; did you mean 'size'\?"),
    ],
)
def test_mistake_is_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(AscError, match=message) as caught:
        parse(**values)
    assert "\n" not in caught.value.line()
    assert caught.value.line().startswith("x.yaml: ")


def test_one_key_may_stand_alone() -> None:
    assert parse(pool=[{"keys": "1f"}]).kinds()["banked"].keys == ("1f",)
