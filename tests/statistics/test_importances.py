"""Shares of parameters by two methods are told where the methods agree."""

import json

import pytest

from asc_experiments.statistics.importances import Importances


def of(fanova: dict[str, float], ped_anova: dict[str, float]) -> Importances:
    text = json.dumps({"trials": 30, "fanova": fanova, "ped_anova": ped_anova, "left_out": {"z": 4}})
    found = Importances.from_text(text)
    assert found is not None
    return found


def test_methods_that_name_opposite_parameters_give_none() -> None:
    found = of({"x": 0.98, "y": 0.02}, {"x": 0.03, "y": 0.97})
    assert found.first == ("x", "y")
    assert found.overlap == pytest.approx(0.05)
    assert not found.agree
    assert found.shares == {}
    assert found.facts()["agree"] is False
    assert found.facts()["fanova"] == {"x": 0.98, "y": 0.02}, "for who computes with both"


def test_methods_that_agree_give_the_shares_of_variance() -> None:
    found = of({"x": 0.6, "y": 0.3, "z": 0.1}, {"x": 0.5, "y": 0.1, "z": 0.4})
    assert found.agree
    assert list(found.shares) == ["x", "y", "z"]


def test_same_parameter_first_is_not_enough() -> None:
    assert not of({"x": 0.95, "y": 0.03, "z": 0.02}, {"x": 0.4, "y": 0.3, "z": 0.3}).agree


def test_text_is_read_back_and_not_longer_than_asked() -> None:
    shares = {f"teachers.kind_{number}.learning_rate": 1 / (number + 1) for number in range(60)}
    found = Importances(500, shares, shares, {f"teacher_{number}": 500 - number for number in range(60)})
    text = found.as_text(4_900)
    assert len(text) <= 4_900
    again = Importances.from_text(text)
    assert again is not None
    assert list(again.fanova) == list(shares)[: len(again.fanova)]
    assert len(again.fanova) >= 20
    assert again.first == found.first


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"x": 0.5, "y": 0.5}', '{"trials": 3, "fanova": {"x": "y"}}'])
def test_anything_else_is_not_known(text: str) -> None:
    assert Importances.from_text(text) is None, "such as the shares that earlier versions logged"
