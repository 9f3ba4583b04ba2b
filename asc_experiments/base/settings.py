"""Strict, frozen settings: an unknown key, a wrong type or a bad value is one clear line.

Recipes, splits and study files are made of these. A value is never silently converted, and a mistyped key is answered
with the nearest valid one.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from asc_experiments.base.errors import AscError, nearest


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
            AscError: with the first offending key, the reason and the nearest valid name.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise explain(error, cls, where) from None


def explain(error: ValidationError, model: type[BaseModel], where: str) -> AscError:
    """Turn pydantic's report into one line about its first entry."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"] if not str(part).startswith("(")]  # "(…)" tags a union's member
    key = ".".join(location) or "the file"
    if first["type"] == "extra_forbidden":
        return AscError(where, f"unknown key '{key}'", nearest(location[-1], _keys_at(model, location[:-1])))
    if first["type"] == "missing":
        return AscError(where, f"key '{key}' is missing", "add it")
    if first["type"] == "value_error":
        return AscError(where, f"'{key}': {first['ctx']['error']}")
    shown = repr(first["input"])
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return AscError(where, f"'{key}' is {shown}", first["msg"][0].lower() + first["msg"][1:])


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
