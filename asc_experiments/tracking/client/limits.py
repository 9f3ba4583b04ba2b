"""What a tracking server takes, in one place: how long names, values and descriptions are, how much goes in one call.

The numbers are those of MLflow's tables. SQLite keeps longer texts; PostgreSQL and MySQL refuse the call, and MLflow's
client cuts some of them and others not. So every call is made to fit before it is sent; what must not be cut is kept as
a file before it comes to that (:mod:`asc_experiments.tracking.client.long_values`).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from asc_experiments.base.hashing import digest_bytes

T = TypeVar("T")

KEY, TAG, PARAM = 250, 8_000, 6_000
"""Characters of a name of a tag, parameter or metric; of a run's tag; of a parameter."""
EXPERIMENT_TAG, VERSION_TAG = 5_000, 5_000
"""Characters of tags of experiments, and of registered models and versions. (This version takes more.)"""
DESCRIPTION, RUN_NAME, RUN_LOCATION = 5_000, 250, 200
"""Characters of what a registered model or version is described by; of a run's name; of the address of its files."""
METRICS_PER_CALL, OTHERS_PER_CALL = 800, 90
"""A call takes 1,000 entries, of which 100 are parameters and 100 tags."""
_CALL = 400_000
"""Bytes of a call's parameters or tags; a server takes a million of everything."""
_CUT = "…"


def cut(text: str, most: int) -> str:
    """A text that is no longer than this many characters, and shows where it was cut."""
    return text if len(text) <= most else text[: most - len(_CUT)] + _CUT


def cut_at_line(text: str, most: int) -> str:
    """Markdown that is no longer than this, cut at the end of a line: no link or row of a table is there in half."""
    if len(text) <= most:
        return text
    end = text.rfind("\n", 0, most - 1 - len(_CUT))
    return cut(text, most) if end <= 0 else f"{text[:end]}\n{_CUT}"


def short_key(key: str) -> str:
    """A name that is not too long; two that are cut stay two."""
    if len(key) <= KEY:
        return key
    digest = digest_bytes(key.encode(), 12)
    return f"{key[: KEY - len(digest) - 1]}-{digest}"


def in_calls(
    entries: Sequence[T], size: Callable[[T], int] | None = None, most: int = OTHERS_PER_CALL
) -> Iterator[list[T]]:
    """Entries in as many calls as they take.

    Args:
        entries: parameters, tags or metrics.
        size: an entry's size in bytes, where that matters.
        most: how many a call takes.
    """
    call: list[T] = []
    left = _CALL
    for entry in entries:
        bytes_of = size(entry) if size else 0
        if call and (len(call) == most or bytes_of > left):
            yield call
            call, left = [], _CALL
        call.append(entry)
        left -= bytes_of
    if call:
        yield call


def size_of(entry: Param | RunTag) -> int:
    """How many bytes a parameter or tag takes in a call, which is JSON."""
    return len(json.dumps(entry.value)) + len(entry.key)


def made_to_fit(
    name: str, arguments: Sequence[Any], named: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call of MLflow's client, cut to what a server takes.

    Args:
        name: of the method.
        arguments: of the call.
        named: of the call.
    """
    fit = _FIT.get(name)
    if fit is None:
        return tuple(arguments), dict(named)
    asked = dict(inspect.signature(getattr(MlflowClient, name)).bind(None, *arguments, **named).arguments)
    del asked["self"]
    for argument, change in fit.items():
        if asked.get(argument) is not None:
            asked[argument] = change(asked[argument])
    return (), asked


def _text(most: int) -> Callable[[Any], str]:
    return lambda value: cut(str(value), most)


def _mapping(most: int) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    return lambda values: {short_key(key): cut(str(value), most) for key, value in values.items()}


def _params(params: Iterable[Param]) -> list[Param]:
    """As MLflow cuts them, which compares them with what was logged before."""
    return [Param(short_key(param.key), str(param.value)[:PARAM]) for param in params]


def _tags(tags: Iterable[RunTag]) -> list[RunTag]:
    return [RunTag(short_key(tag.key), cut(str(tag.value), TAG)) for tag in tags]


def _metrics(metrics: Iterable[Metric]) -> list[Metric]:
    found = list(metrics)
    for metric in found:
        if len(metric.key) > KEY:
            metric._key = short_key(metric.key)
    return found


_FIT: dict[str, dict[str, Callable[[Any], Any]]] = {
    "create_run": {"run_name": _text(RUN_NAME), "tags": _mapping(TAG)},
    "set_tag": {"key": short_key, "value": _text(TAG)},
    "log_batch": {"metrics": _metrics, "params": _params, "tags": _tags},
    "set_experiment_tag": {"key": short_key, "value": _text(EXPERIMENT_TAG)},
    "create_logged_model": {"tags": _mapping(TAG), "params": _mapping(PARAM)},
    "create_registered_model": {"tags": _mapping(VERSION_TAG), "description": _text(DESCRIPTION)},
    "create_model_version": {"tags": _mapping(VERSION_TAG), "description": _text(DESCRIPTION)},
    "update_model_version": {"description": _text(DESCRIPTION)},
    "set_model_version_tag": {"key": short_key, "value": _text(VERSION_TAG)},
}
"""What is cut of which call's arguments."""
