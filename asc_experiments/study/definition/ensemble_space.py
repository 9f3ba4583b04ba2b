"""The part of a study file that says which teachers a trial may take, and how many of each.

Three ways of saying how many, of which a file uses one::

    size: {low: 1, high: 4}                          each member is drawn from the pool by itself
    counts: {cpr: {low: 0, high: 3}, passt: [0, 3]}  so many of each kind; members of one kind differ by their seed
    teams: {alone: {cpr: 1}, both: {cpr: 3, passt: 3}}   one of these, by name
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from asc_experiments.base.errors import nearest
from asc_experiments.base.settings import ONE_OR_MORE, Settings
from asc_experiments.distill.ensemble import RULES
from asc_experiments.models import ARCHITECTURES
from asc_experiments.study.definition.parameter_range import Searchable, Searchables, candidates, whole_numbers

MOST_TEACHERS = 32
_KIND_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


Kindly = Annotated[Searchables, BeforeValidator(lambda entry: {"arch": entry} if isinstance(entry, str) else entry)]
"""An entry of the pool; the name of an architecture stands for one with its published settings."""


@dataclass(frozen=True)
class Kind:
    """One kind of teachers: settings to make Recipes of, or the keys of teachers that are in the bank already."""

    settings: Searchables
    keys: tuple[str, ...] = ()


class EnsembleSpace(Settings):
    """Which teachers a trial may take, and how many.

    Attributes:
        size: number of teachers, each drawn from the pool; 0 is a student on labels alone.
        counts: number of teachers of each kind.
        teams: named ensembles: how many of which kind.
        rule: how their logits combine: ``mean_logits``, ``mean_probabilities`` or ``accuracy_weighted``.
        pool: kinds of teachers; an entry has an ``arch``, or the ``keys`` of teachers in the bank.
        common: settings of every kind that does not say otherwise.
    """

    size: Searchable | None = None
    counts: dict[str, Searchable] | None = None
    teams: dict[str, dict[str, int]] | None = None
    rule: Searchable = "mean_logits"
    pool: Annotated[tuple[Kindly, ...], Field(strict=False, min_length=1), ONE_OR_MORE]
    common: Searchables = Field(default_factory=dict)

    @field_validator("size")
    @classmethod
    def _whole_size(cls, size: Searchable | None) -> Searchable | None:
        return None if size is None else whole_numbers(size, 0, MOST_TEACHERS, "the number of teachers")

    @field_validator("rule")
    @classmethod
    def _known_rule(cls, rule: Searchable) -> Searchable:
        for value in candidates(rule):
            if value not in RULES:
                raise ValueError(f"unknown rule '{value}'; {nearest(str(value), RULES)}")
        return rule

    @model_validator(mode="after")
    def _fits_together(self) -> EnsembleSpace:
        given = [name for name in ("size", "counts", "teams") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; keep one")
        for number, entry in enumerate(self.pool, start=1):
            arch = entry.get("arch") if "keys" in entry else self._with_common(entry).get("arch")
            if isinstance(arch, str) == ("keys" in entry):
                raise ValueError(f"entry {number} of the pool needs an arch ({', '.join(ARCHITECTURES)}) or keys")
        kinds = self.kinds()
        for kind, count in (self.counts or {}).items():
            self._check_count(kind, count, kinds, "counts")
        for team, counts in (self.teams or {}).items():
            for kind, number_of in counts.items():
                self._check_count(kind, number_of, kinds, f"team '{team}'")
        if self.teams == {} or self.counts == {}:
            raise ValueError(f"{given[0]} is empty; name at least one kind of the pool")
        return self

    @staticmethod
    def _check_count(kind: str, count: Searchable, kinds: dict[str, Kind], where: str) -> None:
        if kind not in kinds:
            raise ValueError(f"{where} names '{kind}', which is not in the pool; {nearest(kind, kinds)}")
        most = len(kinds[kind].keys) or MOST_TEACHERS
        whole_numbers(count, 0, most, f"{where}: the number of '{kind}'")

    def kinds(self) -> dict[str, Kind]:
        """The pool by name: an entry's own ``name``, else its architecture.

        Raises:
            ValueError: if a name is not valid, or stands twice.
        """
        kinds: dict[str, Kind] = {}
        for entry in self.pool:
            is_banked = "keys" in entry
            whole = entry if is_banked else self._with_common(entry)
            name = str(entry.get("name", whole.get("arch", "banked")))
            if not _KIND_NAME.fullmatch(name):
                raise ValueError(f"'{name}' is no name for a kind of teachers; use letters, digits, _ and -")
            if name in kinds:
                raise ValueError(f"two kinds of teachers are called '{name}'; give each its own name")
            kinds[name] = _banked(entry, name) if is_banked else _made(whole)
        return kinds

    def _with_common(self, entry: Searchables) -> Searchables:
        """An entry of the pool with the settings of every kind."""
        return dict(self.common) | dict(entry)


def _made(entry: dict[str, Any]) -> Kind:
    return Kind({key: value for key, value in entry.items() if key != "name"})


def _banked(entry: Searchables, name: str) -> Kind:
    keys = tuple(str(key) for key in candidates(entry["keys"]))
    others = set(entry) - {"name", "keys"}
    if others:
        raise ValueError(f"'{name}' has keys of teachers that exist; '{min(others)}' cannot be set")
    if len(set(keys)) < len(keys):
        raise ValueError(f"'{name}' names a key twice")
    return Kind({}, keys)
