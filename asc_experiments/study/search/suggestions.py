"""Who gives a search space its values: an Optuna trial, given values that are checked, or a grid that takes all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from asc_experiments.base.errors import AscError
from asc_experiments.study.definition.parameter_range import Range, Scalar, Searchable, Searchables

MOST_CELLS = 10_000
_ROUNDING = 1e-6
"""By how much of a step sums of steps may miss the number that is meant."""


class Suggests(Protocol):
    """The part of an Optuna trial that a search space uses."""

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        """A whole number."""

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number."""


def suggest(trial: Suggests, name: str, setting: Searchable) -> Scalar:
    """A fixed value as it is, else what the trial suggests."""
    if isinstance(setting, Range):
        if setting.is_whole:
            step = 1 if setting.step is None else int(setting.step)
            return trial.suggest_int(name, int(setting.low), int(setting.high), step=step, log=setting.log)
        value = trial.suggest_float(name, setting.low, setting.high, step=setting.step, log=setting.log)
        return value if setting.step is None else exact_step(value, setting.low, setting.step)
    if isinstance(setting, tuple):
        return setting[0] if len(setting) == 1 else trial.suggest_categorical(name, list(setting))
    return setting


def suggest_all(trial: Suggests, prefix: str, settings: Searchables) -> dict[str, Scalar]:
    """A value of every setting."""
    return {key: suggest(trial, f"{prefix}.{key}", setting) for key, setting in settings.items()}


def exact_step(value: float, low: float, step: float) -> float:
    """The step that a value means, as a decimal: 1.7 rather than the 1.7000000000000002 that sums of floats give."""
    return _at_step(round((value - low) / step), low, step)


def _at_step(number: int, low: float, step: float) -> float:
    return float(Decimal(str(low)) + number * Decimal(str(step)))


def exact_params(params: Mapping[str, Any], distributions: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's parameters as they are meant, where Optuna adds up steps of floats.

    Args:
        params: by name.
        distributions: Optuna's, of each parameter.
    """
    exact = dict(params)
    for name, each in distributions.items():
        if isinstance(exact.get(name), float) and getattr(each, "step", None) is not None:
            exact[name] = exact_step(exact[name], each.low, each.step)
    return exact


class Given:
    """Answers with given values, checking that they lie in the space; first choices where none is given.

    Args:
        values: by parameter.
        where: what they came from, for the error.
    """

    def __init__(self, values: Mapping[str, Scalar], where: str) -> None:
        self.values, self.where, self.used = values, where, set[str]()

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        """The given value, or the first choice."""
        self.used.add(name)
        value = self.values.get(name, choices[0])
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise AscError(self.where, f"{name} is {value!r}", "valid: " + ", ".join(map(str, choices)))
        return value

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        """The given value, or the lowest."""
        return int(self._within(name, low, high, step, whole=True))

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        """The given value, or the lowest."""
        return float(self._within(name, low, high, step))

    def _within(self, name: str, low: float, high: float, step: float | None, whole: bool = False) -> float:
        self.used.add(name)
        value = self.values.get(name, low)
        kind = "a whole number" if whole else "a number"
        remedy = f"give {kind} from {low} to {high}"
        if isinstance(value, str | bool) or not low <= value <= high or (whole and value != int(value)):
            raise AscError(self.where, f"{name} is {value!r}", remedy)
        if step is not None and abs((value - low) / step - round((value - low) / step)) > _ROUNDING:
            raise AscError(self.where, f"{name} is {value!r}", f"{remedy} in steps of {step}")
        return value


class _Odometer:
    """Answers with one combination of choices, and remembers how many there were of each."""

    def __init__(self, turns: list[int], where: str) -> None:
        self.turns, self.where = turns, where
        self.params: dict[str, Scalar] = {}
        self.counts: list[int] = []

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        if len(self.counts) == len(self.turns):
            self.turns.append(0)
        self.params[name] = choices[self.turns[len(self.counts)]]
        self.counts.append(len(choices))
        return self.params[name]

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        return int(self.suggest_categorical(name, range(low, high + 1, step)))

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        if step is None:
            remedy = "give the range a step, or list the values"
            raise AscError(self.where, f"{name} has no end of values for a grid", remedy)
        steps = int((high - low) / step + _ROUNDING)
        return float(self.suggest_categorical(name, [_at_step(i, low, step) for i in range(steps + 1)]))


def every_cell(ask: Callable[[Suggests], Any], where: str) -> Iterator[tuple[dict[str, Scalar], Any]]:
    """Every combination of parameters of a space, also where one parameter decides which others there are.

    Args:
        ask: asks for the values of one trial.
        where: the study, for the error.

    Yields:
        The parameters of a cell, and what ``ask`` made of them.

    Raises:
        AscError: if a parameter has no end of values, or there are too many cells.
    """
    turns: list[int] = []
    for _ in range(MOST_CELLS):
        trial = _Odometer(turns, where)
        made = ask(trial)
        yield trial.params, made
        while turns and turns[-1] + 1 == trial.counts[len(turns) - 1]:
            turns.pop()
        if not turns:
            return
        turns[-1] += 1
    raise AscError(where, f"the grid has more than {MOST_CELLS} cells", "fix some settings, or use sampler: tpe")
