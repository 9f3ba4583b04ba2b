"""Calls that do another thing the second time: what the first one did, whose answer was lost, is found instead.

A run, a logged model and a registered version get a tag that no other has, and are looked for by it before a second one
is made. Experiments and registered models are told apart by their names. What was deleted, or linked, stays so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from asc_experiments.tracking.client.queries import where

BIRTH = "asc.birth"
"""The tag that no other run, logged model or registered version has."""
OVERTAKEN = ("UNIQUE constraint failed", "duplicate key value")
"""How SQLite and PostgreSQL say that there is such a row already; MLflow's server passes their words on."""
_GONE = "RESOURCE_DOES_NOT_EXIST"


def _run(client: MlflowClient, asked: Mapping[str, Any], birth: str) -> Any:
    return client.search_runs([asked["experiment_id"]], where({BIRTH: birth}), max_results=1)


def _logged_model(client: MlflowClient, asked: Mapping[str, Any], birth: str) -> Any:
    query = where({BIRTH: birth})
    return client.search_logged_models([asked["experiment_id"]], filter_string=query, max_results=1)


def _model_version(client: MlflowClient, asked: Mapping[str, Any], birth: str) -> Any:
    return client.search_model_versions(where({BIRTH: birth}, name=asked["name"]), max_results=1)


_BY_BIRTH: dict[str, Callable[[MlflowClient, Mapping[str, Any], str], Any]] = {
    "create_run": _run,
    "create_logged_model": _logged_model,
    "create_model_version": _model_version,
}
_BY_NAME: dict[str, Callable[[Any, str], Any]] = {
    "create_experiment": lambda client, name: client.get_experiment_by_name(name).experiment_id,
    "create_registered_model": lambda client, name: client.get_registered_model(name),
}


def may_be_repeated(name: str) -> bool:
    """Whether a method of MLflow's client may be called twice; of unknown ones that create something nobody knows."""
    return not name.startswith("create_") or name in _BY_BIRTH or name in _BY_NAME


def repeatable(
    client: MlflowClient, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> Callable[[], Any]:
    """A call of MLflow's client that does the same however often it is made.

    Args:
        client: one that does not wait.
        name: of the method.
        arguments: of the call.
        named: of the call.
    """
    if name in _BY_BIRTH:
        return _created_once(client, name, arguments, named)
    call, tried = getattr(client, name), False

    def once() -> Any:
        nonlocal tried
        again, tried = tried, True
        try:
            return call(*arguments, **named)
        except MlflowException as error:
            if again and name in _BY_NAME and error.error_code == "RESOURCE_ALREADY_EXISTS":
                asked = arguments[0] if arguments else named["name"]
                return _BY_NAME[name](client, str(asked))
            if again and name.startswith("delete_") and error.error_code == _GONE:
                return None
            if again and name == "log_outputs" and any(words in str(error) for words in OVERTAKEN):
                return None
            raise

    return once


def _created_once(
    client: MlflowClient, name: str, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> Callable[[], Any]:
    bound = inspect.signature(getattr(MlflowClient, name)).bind(None, *arguments, **named)
    asked, birth, tried = dict(bound.arguments), uuid4().hex, False
    del asked["self"]
    asked["tags"] = {**(asked.get("tags") or {}), BIRTH: birth}

    def once() -> Any:
        nonlocal tried
        if tried and (found := list(_BY_BIRTH[name](client, asked, birth))):
            return found[0]
        tried = True
        return getattr(client, name)(**asked)

    return once
