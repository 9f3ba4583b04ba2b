"""A part of a grid has every value about equally often, whatever its size, and a larger part holds the smaller one."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.search.grid_subset import balanced_order, value_counts
from asc_experiments.study.search.search_space import SearchSpace

Cells = list[dict[str, Any]]


def product(sizes: Sequence[int]) -> Cells:
    """All combinations of so many values of each parameter, the last one turning fastest."""
    return [
        {f"p{number}": value for number, value in enumerate(values)}
        for values in itertools.product(*(range(size) for size in sizes))
    ]


sizes = st.lists(st.integers(2, 5), max_size=5).filter(lambda each: math.prod(each) <= 400)


@settings(max_examples=80, deadline=None)
@given(sizes)
def test_every_part_of_a_full_grid_has_each_value_of_a_parameter_equally_often_or_once_more(sizes: list[int]) -> None:
    cells = product(sizes)
    order = balanced_order(cells)
    assert order[0] == 0, "the baseline"
    assert sorted(order) == list(range(len(cells))), "every cell once"
    counts = [Counter(dict.fromkeys(range(size), 0)) for size in sizes]
    for cell in order:
        for number, count in enumerate(counts):
            count[cells[cell][f"p{number}"]] += 1
            assert max(count.values()) - min(count.values()) <= 1


@settings(max_examples=80, deadline=None)
@given(sizes, st.data())
def test_larger_part_begins_with_the_smaller_one(sizes: list[int], data: st.DataObject) -> None:
    cells = product(sizes)
    cells = cells[:1] + [cell for cell in cells[1:] if data.draw(st.booleans())]  # maybe no longer a full grid
    whole = balanced_order(cells)
    wanted = data.draw(st.integers(0, len(cells)))
    assert balanced_order(cells, wanted) == whole[:wanted]
    assert sorted(whole) == list(range(len(cells)))


@pytest.mark.parametrize("sizes", [(3, 3), (2, 3), (4, 4), (2, 4), (3, 5)])
def test_pairs_of_values_are_there_about_equally_often_too(sizes: tuple[int, int]) -> None:
    cells = product(sizes)
    order = balanced_order(cells)
    for n in range(1, len(cells) + 1):
        pairs = Counter(tuple(cells[cell].values()) for cell in order[:n])
        assert max(pairs.values()) == 1
    three = product((*sizes, 2))
    rounds = math.lcm(*sizes, 2)
    for n in range(rounds, len(three) + 1, rounds):
        pairs = Counter((cells["p0"], cells["p1"]) for cells in (three[cell] for cell in balanced_order(three, n)))
        counts = [pairs[pair] for pair in itertools.product(range(sizes[0]), range(sizes[1]))]
        assert max(counts) - min(counts) <= 2


def test_setting_of_several_kinds_is_balanced_in_each_kind_and_over_all_of_them() -> None:
    """As in the study of device generalisation, of which ten trials once had FMS four times and DIR two times."""
    cells: Cells = [
        {"team": kind, f"teachers.{kind}.augment": augment}
        for kind in ("cpm", "cpr", "passt")
        for augment in ("none", "dir", "fms", "dirfms")
    ]
    for n in range(1, 13):
        chosen = [cells[cell] for cell in balanced_order(cells, n)]
        for values in (Counter(cell["team"] for cell in chosen), Counter(list(cell.values())[1] for cell in chosen)):
            assert max(values.values()) - (min(values.values()) if n >= len(values) else 0) <= 1


def test_values_that_only_some_cells_have_are_spread_over_the_order() -> None:
    cells: Cells = [{"team": "none"}]
    cells += [{"team": team, "rate": rate} for team in ("one", "two") for rate in (1, 2, 3)]
    chosen = [cells[cell] for cell in balanced_order(cells, 5)]
    assert chosen[0] == {"team": "none"}
    assert value_counts(chosen) == {"team": {"none": 1, "one": 2, "two": 2}, "rate": {"1": 2, "2": 1, "3": 1}}


def test_one_and_true_are_two_values() -> None:
    assert balanced_order([{"n": 1}, {"n": True}]) == [0, 1]


def test_grid_without_parameters_has_an_order() -> None:
    assert balanced_order([{}]) == [0]
    assert balanced_order([]) == []


def test_part_of_a_shipped_study_has_every_method_equally_often() -> None:
    space = SearchSpace(read_study(Path("paper_device_generalisation"), {"trials": 10}))
    (queue, asked) = space.queue()
    assert (len(queue), asked) == (12, 10)
    chosen = [params for _, params in queue[:asked]]
    methods = Counter(value for params in chosen for name, value in params.items() if name.endswith(".augment"))
    assert sorted(methods.values()) == [2, 2, 3, 3]
    assert sorted(Counter(params["team"] for params in chosen).values()) == [3, 3, 4]
    assert queue[0][0] == 0
