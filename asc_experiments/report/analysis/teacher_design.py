"""What the trials of a study share, and so what they are evidence of: teachers, settings, the order they came in."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from asc_experiments.report.data.study_runs import StudyRuns, number_of, recipe_of
from asc_experiments.statistics.luck import FEWEST_PER_HELD, ranks
from asc_experiments.statistics.members import Floats
from asc_experiments.tracking import RunRecord
from asc_experiments.tracking.trials import SAMPLER, SEARCHED, TRAINING_CLIPS, keys_of

ORDER = "the order of trials"
_HELD = ("student.", "distillation.", "corpus.")
_MOST_CHOICES = 6
_ADAPTIVE = ("tpe", "gp", "nsga2")
_FEWEST_FOR_SAMPLERS = 10
"""Trials that Optuna's samplers draw at random before they learn."""


@dataclass(frozen=True, eq=False)
class Design:
    """How the finished trials of a study were made up.

    Luck comes in *units*. In a grid, where the kinds of teachers were fixed beforehand, these are networks: twins of a
    kind differ by luck alone. Elsewhere they are kinds (the networks of one Recipe but for the seed): that a kind does
    well by chance says nothing of its attributes.

    Attributes:
        runs: the study's.
    """

    runs: StudyRuns

    @cached_property
    def keys(self) -> list[list[str]]:
        """The keys of each trial's teachers."""
        return [keys_of(trial) for trial in self.runs.trials]

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """The kind of each teacher by key; a teacher of unknown Recipe is a kind of its own."""
        keys = dict.fromkeys(key for each in self.keys for key in each)
        return {key: _kind(self.runs.bank.get(key), key) for key in keys}

    @cached_property
    def unit_of(self) -> Mapping[str, int]:
        """The number of each teacher's unit, by key."""
        names = {key: key if self.is_grid else kind for key, kind in self.kinds.items()}
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names.values()))}
        return {key: numbers[name] for key, name in names.items()}

    @cached_property
    def members(self) -> list[list[int]]:
        """The units of each trial's teachers."""
        return [[self.unit_of[key] for key in each] for each in self.keys]

    @cached_property
    def networks(self) -> int:
        """How many teachers the trials have."""
        return len(self.kinds)

    @property
    def is_grid(self) -> bool:
        """Whether the trials are the cells of a grid."""
        return self.runs.tags.get(SAMPLER) == "grid"

    @property
    def unit(self) -> str:
        """What luck comes in, of one and of several apart by a slash: ``teacher/teachers``."""
        if self.is_grid or len(set(self.kinds.values())) == self.networks:
            return "teacher/teachers"
        return "kind of teachers/kinds of teachers"

    @cached_property
    def single_kinds(self) -> int:
        """How many kinds there are, where each is there as one network; else 0."""
        kinds = len(set(self.kinds.values()))
        return kinds if kinds == self.networks else 0

    @property
    def learns(self) -> bool | None:
        """Whether the sampler learned from the trials before; None where that is not known."""
        sampler, tried = self.runs.tags.get(SAMPLER, ""), len(self.runs.trials) + len(self.runs.pruned)
        if sampler in _ADAPTIVE:
            return True
        return False if sampler or tried <= _FEWEST_FOR_SAMPLERS else None

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "luck_of": self.unit.split("/")[1],
            "teachers": self.networks,
            "kinds": len(set(self.kinds.values())),
            "one_network_per_kind": self.single_kinds > 1,
            "held": self.held_names(),
            "pruned_left_out": len(self.runs.pruned),
        }

    def held(self, taught: bool = True, without: Collection[str] = ()) -> Floats | None:
        """What else differs between trials, ``(trials, columns)``, to be held; None where nothing does.

        Args:
            taught: whether of trials with teachers only (others have 0), else of all.
            without: settings to leave out.
        """
        chosen = [columns for name, columns in self._settings(taught).items() if name not in without]
        return np.concatenate(chosen, axis=1) if chosen else None

    def held_names(self, taught: bool = True) -> list[str]:
        """The names of the settings that are held."""
        return list(self._settings(taught))

    def _settings(self, taught: bool) -> dict[str, Floats]:
        return self._settings_taught if taught else self._settings_all

    @cached_property
    def _settings_taught(self) -> dict[str, Floats]:
        return self._columns([place for place, each in enumerate(self.keys) if each])

    @cached_property
    def _settings_all(self) -> dict[str, Floats]:
        return self._columns(range(len(self.keys)))

    @cached_property
    def _searched(self) -> list[dict[str, Any]]:
        return [json.loads(trial.tags.get(SEARCHED, "{}")) for trial in self.runs.trials]

    def _columns(self, places: Sequence[int]) -> dict[str, Floats]:
        """The settings that differ, and that all of some trials have; none where the trials are too few for them."""
        searched = [self._searched[place] for place in places]
        names = [name for name in (searched[0] if searched else ()) if name.startswith(_HELD)]
        values = {name: [each[name] for each in searched] for name in names if all(name in each for each in searched)}
        if self.learns is not False:
            values[ORDER] = [number_of(self.runs.trials[place]) for place in places]
        found = {name: made for name, each in values.items() if (made := _column(each)) is not None}
        if FEWEST_PER_HELD * sum(made.shape[1] for made in found.values()) > len(places):
            return {}
        spread = {name: np.zeros((len(self.keys), made.shape[1])) for name, made in found.items()}
        for name, made in found.items():
            spread[name][list(places)] = made
        return spread


def _kind(run: RunRecord | None, key: str) -> str:
    recipe = None if run is None else recipe_of(run)
    if run is None or recipe is None:
        return key
    settings = {name: value for name, value in recipe.items() if name != "seed"}
    return json.dumps([settings, run.tags.get(TRAINING_CLIPS)], sort_keys=True)


def _column(values: Sequence[Any]) -> Floats | None:
    """A setting as columns of about the same size: a number's ranks, whether a choice was made; None of no use."""
    if not values:  # no student was taught
        return None
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        made = ranks(np.array([values], dtype=np.float64))[0] / max(1, len(values))
        return made[:, None] if np.ptp(made) > 0 else None
    choices = sorted({str(value) for value in values})
    if not 2 <= len(choices) <= _MOST_CHOICES:
        return None
    return np.array([[float(str(value) == choice) for choice in choices[1:]] for value in values])
