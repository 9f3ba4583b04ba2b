"""Strict, frozen settings: an unknown key, a wrong type or a bad value is one clear line.

Recipes, splits and study files are made of these. A value is never silently converted, and a mistyped key is answered
with the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from asc_experiments.base.errors import AscError, nearest, together

ONE_OR_MORE = BeforeValidator(lambda value: [value] if isinstance(value, str | dict) else value)
"""Of a list: what stands alone is taken as a list of one."""


class Settings(BaseModel):
    """A frozen, hashable group of settings that refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Any, where: str) -> Self:
        """Build the settings from plain values.

        Args:
            values: a mapping of keys to plain values, as YAML or JSON gives them.
            where: the file or option the values came from, for the error.

        Raises:
            AscError: with every offending key, the reason and the nearest valid name.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise explain(error, cls, where) from None


def explain(error: ValidationError, model: type[BaseModel], where: str, is_flat: bool = False) -> AscError:
    """Turn pydantic's report into a line about each of its entries, in plain words.

    Args:
        error: the report.
        model: the settings that it is about.
        where: the file or option they came from.
        is_flat: whether people give all of them by their own names, without those of groups.
    """
    entries = _merged(error.errors())
    places = [place_of(entry) for entry in entries]
    # A list whose entries are all wrong is empty to pydantic, too.
    inner = {tuple(place[:length]) for place in places for length in range(len(place))}
    kept = [
        e for e, place in zip(entries, places, strict=True) if e["type"] != "too_short" or tuple(place) not in inner
    ]
    return together(_explained(entry, model, where, is_flat) for entry in kept)


def _merged(entries: Sequence[Any]) -> list[Any]:
    """The entries, with one for each value that may be of several types instead of one per type."""
    merged: dict[tuple[object, ...], Any] = {}
    for entry in entries:
        *place, last = entry["loc"] or ("",)
        is_of_several = last in _SCALARS and entry["type"].startswith(tuple(_SCALARS.values()))
        if is_of_several:
            kind = "scalar" if last == "str" else "float"
            merged[tuple(place)] = {**entry, "loc": tuple(place), "type": kind}
        else:
            merged[(*entry["loc"], entry["type"])] = entry
    return list(merged.values())


def _explained(entry: Any, model: type[BaseModel], where: str, is_flat: bool) -> AscError:
    location = place_of(entry)
    key, about = ".".join(location[-1:] if is_flat else location), entry.get("ctx", {})
    if entry["type"] == "extra_forbidden":
        return AscError(where, f"unknown key '{key}'", nearest(location[-1], _keys_at(model, location[:-1])))
    if entry["type"] == "missing":
        return AscError(where, f"key '{key}' is missing", "add it")
    if entry["type"] == "value_error":
        return AscError(where, f"'{key}': {about['error']}" if key else str(about["error"]))
    shown = "empty" if entry["input"] is None else repr(entry["input"])
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    kind = _KINDS.get(entry["type"].removesuffix("_type").removesuffix("_parsing"), "")
    wanted = f"give {kind or _LIMITS.get(entry['type'], 'another value').format(**about)}"
    if entry["type"] == "literal_error":
        wanted = f"valid: {about['expected']}"
    if kind == _GROUP:
        wanted += f", as key: value; valid: {', '.join(_keys_at(model, location))}"
    return AscError(where, f"'{key}' is {shown}" if key else f"is {shown}", wanted)


def place_of(entry: Any) -> list[str]:
    """Where in the settings an entry of pydantic's report belongs, key by key."""
    *before, last = map(str, entry["loc"] or ("",))
    place = [part for part in before if not part.startswith("(")]  # "(…)" tags a union's member
    if entry["type"] == "extra_forbidden":  # a key that somebody wrote may begin so, too, or be empty
        return [*place, last]
    return [*place, last] if last and not last.startswith("(") else place


_SCALARS = {"bool": "bool", "int": "int", "float": "float", "str": "string"}
"""By the last part of a place: the types that a value may have, and how pydantic calls their errors."""
_GROUP = "a group of settings"
_KINDS = {
    "int": "a whole number",
    "int_from_float": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text (a number in quotes)",
    "tuple": "a list: [a, b]",
    "list": "a list: [a, b]",
    "too_short": "a list of one at least",
    "dict": "keys with values: {key: value}",
    "model": _GROUP,
    "model_attributes": _GROUP,
    "finite_number": "a finite number",
    "scalar": "a text, a number, true or false",
}
"""What pydantic's types of errors want, in plain words."""
_LIMITS = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "above {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "below {lt}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "string_too_long": "at most {max_length} characters",
    "too_long": "at most {max_length}",
}


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys that are valid inside the nested settings at ``location``."""
    for part in location:
        field = model.model_fields.get(part)
        if field is None:
            continue  # an index of a list, or the tag of a union
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
                break
    return list(model.model_fields)
