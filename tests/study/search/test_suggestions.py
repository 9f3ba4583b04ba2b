"""Values from a grid, which takes every one, and from what was given, which is checked."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.base.errors import AscError
from asc_experiments.study.definition.parameter_range import Range, Searchables
from asc_experiments.study.search.suggestions import (
    MOST_CELLS,
    Given,
    Suggests,
    every_cell,
    exact_params,
    suggest,
    suggest_all,
)

Node = list[list[Any]]
"""Parameters asked one after another, each a list of its choices; a choice is the Node that is asked where it is taken.
(Choices are numbered, so that they are told apart.)"""
nodes = st.recursive(
    st.just([]), lambda inner: st.lists(st.lists(inner, min_size=2, max_size=3), max_size=2), max_leaves=12
)


def ask(trial: Suggests, node: Node, prefix: str = "p") -> None:
    for number, choices in enumerate(node):
        name = f"{prefix}.{number}"
        taken = trial.suggest_categorical(name, list(range(len(choices))))
        ask(trial, choices[taken], f"{name}.{taken}")


def cells_of(node: Node, prefix: str = "p") -> Iterator[dict[str, int]]:
    """All cells of a space, by itertools."""
    names = [f"{prefix}.{number}" for number in range(len(node))]
    each = [
        [{name: taken} | cell for taken, inner in enumerate(choices) for cell in cells_of(inner, f"{name}.{taken}")]
        for name, choices in zip(names, node, strict=True)
    ]
    for combination in itertools.product(*each):
        yield {key: value for part in combination for key, value in part.items()}


def grid(searchables: Searchables) -> list[dict[str, Any]]:
    return [params for params, _ in every_cell(lambda trial: suggest_all(trial, "x", searchables), "study 's'")]


@settings(max_examples=100, deadline=None)
@given(nodes)
def test_grid_takes_every_cell_of_a_conditional_space_once(node: Node) -> None:
    wanted = itertools.islice(cells_of(node), 2_000)
    expected = Counter(tuple(sorted(cell.items())) for cell in wanted)
    taken = itertools.islice(every_cell(lambda trial: ask(trial, node), "x"), 2_000)
    found = Counter(tuple(sorted(params.items())) for params, _ in taken)
    assert found == expected or sum(expected.values()) == 2_000
    assert set(found.values()) == {1}


def test_grid_yields_what_was_made_of_each_cell() -> None:
    made = [made for _, made in every_cell(lambda trial: trial.suggest_int("n", 1, 3) ** 2, "x")]
    assert made == [1, 4, 9]


def test_space_without_parameters_has_one_cell() -> None:
    assert grid({"epochs": 20, "augment": ("none",)}) == [{}]


@pytest.mark.parametrize(
    ("span", "values"),
    [
        (Range(low=1, high=4), [1, 2, 3, 4]),
        (Range(low=8, high=40, step=8), [8, 16, 24, 32, 40]),
        (Range(low=8, high=30, step=8), [8, 16, 24]),
        (Range(low=1.5, high=2.5, step=0.1), [1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5]),
        (Range(low=1e-12, high=4e-12, step=1e-12), [1e-12, 2e-12, 3e-12, 4e-12]),
        (Range(low=0.0, high=1.0, step=0.3), [0.0, 0.3, 0.6, 0.9]),
        (Range(low=0.0, high=1.0, step=0.35), [0.0, 0.35, 0.7]),
        (Range(low=1, high=2, step=0.5), [1.0, 1.5, 2.0]),
    ],
)
def test_grid_takes_every_step_of_a_range(span: Range, values: list[float]) -> None:
    found = [params["x.n"] for params in grid({"n": span})]
    assert found == values, "decimals: 0.3 rather than 0.30000000000000004"
    assert [type(value) for value in found] == [type(value) for value in values]


def test_steps_are_the_numbers_that_are_meant() -> None:
    """Else a Recipe from a grid, from a sampler and from a hand-written file would be three teachers."""
    tenths = Range(low=1.0, high=2.0, step=0.1)
    wanted = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0]
    assert [made for _, made in every_cell(lambda trial: suggest(trial, "n", tenths), "x")] == wanted
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {suggest(study.ask(), "n", tenths) for _ in range(60)} == set(wanted)


def test_parameters_that_a_sampler_drew_are_logged_as_the_numbers_that_are_meant() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    raw, exact = set(), set()
    for _ in range(60):
        trial = study.ask()
        trial.suggest_float("rate", 0.0, 0.9, step=0.1)
        trial.suggest_int("size", 1, 3)
        trial.suggest_float("free", 0.0, 1.0)
        found = exact_params(trial.params, trial.distributions)
        assert {name: found[name] for name in ("size", "free")} == {n: trial.params[n] for n in ("size", "free")}
        raw.add(trial.params["rate"])
        exact.add(found["rate"])
    assert exact == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
    assert 0.30000000000000004 in raw, "what Optuna makes of a step of 0.1"


def test_range_of_numbers_without_a_step_has_no_cells() -> None:
    with pytest.raises(AscError, match=r"study 's': x\.rate has no end of values for a grid; give the range a step"):
        grid({"rate": Range(low=1e-4, high=1e-2, log=True)})


def test_too_many_cells_are_refused_and_as_many_as_fit_are_not() -> None:
    hundred = {"a": Range(low=1, high=100), "b": Range(low=1, high=MOST_CELLS // 100)}
    assert len(grid(hundred)) == MOST_CELLS
    with pytest.raises(AscError, match=rf"more than {MOST_CELLS} cells; fix some settings"):
        grid(hundred | {"b": Range(low=1, high=MOST_CELLS // 100 + 1)})


def answer(searchable: Any, **values: Any) -> Any:
    return suggest(Given(values, "enqueue"), "n", searchable)


def test_given_values_stand_and_the_first_or_lowest_where_none_is_given() -> None:
    assert answer(("none", "fms"), n="fms") == "fms"
    assert answer(("none", "fms")) == "none"
    assert answer(Range(low=1, high=4), n=3) == 3
    assert answer(Range(low=1.0, high=4.0), n=2) == 2.0
    assert answer(Range(low=1.0, high=4.0)) == 1.0
    assert answer(Range(low=1.5, high=2.5, step=0.1), n=2.3) == 2.3


@pytest.mark.parametrize(
    ("searchable", "value", "message"),
    [
        (("none", "fms"), "dir", r"n is 'dir'; valid: none, fms"),
        ((0, 1), True, r"n is True; valid: 0, 1"),
        ((1, 2), 1.0, r"n is 1\.0; valid: 1, 2"),
        (Range(low=1, high=4), 5, r"n is 5; give a whole number from 1 to 4"),
        (Range(low=1, high=4), 2.5, r"n is 2\.5; give a whole number from 1 to 4"),
        (Range(low=1, high=4), "2", r"n is '2'; give a whole number"),
        (Range(low=0, high=4), True, r"n is True; give a whole number"),
        (Range(low=1.0, high=4.0), 0.5, r"n is 0\.5; give a number from 1\.0 to 4\.0"),
        (Range(low=1.0, high=4.0), float("nan"), r"n is nan; give a number"),
        (Range(low=8, high=40, step=8), 12, r"n is 12; give a whole number from 8 to 40 in steps of 8"),
        (Range(low=1.5, high=2.5, step=0.1), 1.55, r"n is 1\.55; .*in steps of 0\.1"),
    ],
)
def test_given_value_outside_of_the_space_is_named(searchable: Any, value: Any, message: str) -> None:
    with pytest.raises(AscError, match=rf"^enqueue: {message}"):
        answer(searchable, n=value)
