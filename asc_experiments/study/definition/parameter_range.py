"""Settings that can be searched: fixed (``20``), a choice (``[none, dirfms]``) or a range (``{low: 1, high: 4}``)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag, model_validator

from asc_experiments.base.settings import Settings

Scalar = bool | int | float | str


class Range(Settings):
    """A range of numbers, both ends included; whole numbers if both ends are.

    Attributes:
        low: the smallest value.
        high: the largest value.
        step: distance of two values; excludes ``log``.
        log: whether values are drawn on a logarithmic scale.
    """

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"the range from {self.low} to {self.high} is empty; low must be below high")
        if self.step is not None and (self.step <= 0 or self.log):
            raise ValueError("step must be above 0 and cannot go with log")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range must begin above 0")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))


def _shape(value: object) -> str:
    """Which of the three ways of writing a setting a value is, so that a mistake is explained as that one."""
    if isinstance(value, dict | Range):
        return "(range)"
    return "(choices)" if isinstance(value, list | tuple) else "(value)"


Choices = Annotated[tuple[Scalar, ...], Field(strict=False, min_length=1)]
Searchable = Annotated[
    Annotated[Scalar, Tag("(value)")] | Annotated[Range, Tag("(range)")] | Annotated[Choices, Tag("(choices)")],
    Discriminator(_shape),
]
Searchables = dict[str, Searchable]


def candidates(value: Searchable) -> tuple[Scalar, ...]:
    """The values that stand for a setting when it is checked: itself, all choices, or both ends of a range."""
    if isinstance(value, Range):
        return (value.low, value.high)
    return value if isinstance(value, tuple) else (value,)


def whole_numbers(value: Searchable, lowest: int, highest: int, what: str) -> Searchable:
    """Check that a setting only takes whole numbers between two limits.

    Raises:
        ValueError: naming what it is and the value.
    """
    for candidate in candidates(value):
        if isinstance(candidate, bool) or not isinstance(candidate, int) or not lowest <= candidate <= highest:
            raise ValueError(f"{what} is a whole number from {lowest} to {highest}, not {candidate}")
    if isinstance(value, Range) and not value.is_whole:
        raise ValueError(f"{what} is whole; leave step away or make it whole")
    return value
