"""Patience with a tracking server that is away or full for a while: calls wait for it instead of failing."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import InterfaceError, OperationalError

from asc_experiments.base.durations import parse_duration
from asc_experiments.base.errors import without_secrets
from asc_experiments.base.outage import GOES_ON, Outage, chain, is_full, is_read_only, outage_of
from asc_experiments.base.progress import say

_VARIABLE, _DEFAULT = "ASC_TRACKING_PATIENCE", "10m"
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 10.0
SAY_AFTER_S = 2.0
"""A server that is away for a moment is not worth a line."""
_GATEWAY = (502, 503, 504)
_OVERTAKEN = ("UNIQUE constraint failed", "duplicate key value")
"""How SQLite and PostgreSQL say that there is such a row already; MLflow's server passes their words on."""
_AWAY = (
    ConnectionError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,  # it was killed in the middle of an answer
    requests.exceptions.RetryError,  # how MLflow's client tells of 500 and 503: the server's own database or disk
    OperationalError,
    InterfaceError,
)


def patience() -> float:
    """For how many seconds a server is waited for (``ASC_TRACKING_PATIENCE``: ``90``, ``10m``, ``1h``).

    Raises:
        AscError: if the setting is no duration.
    """
    return parse_duration(os.environ.get(_VARIABLE) or _DEFAULT, _VARIABLE)


def waits() -> Iterator[float]:
    """The seconds to wait before each new try: longer and longer, up to ten."""
    wait = _FIRST_WAIT_S
    while True:
        yield wait
        wait = min(2 * wait, _LONGEST_WAIT_S)


def may_pass(error: BaseException) -> bool:
    """Whether an error may pass by itself: the server is away or overtaxed, or has no space left for the moment."""
    if is_read_only(error):
        return False
    return is_full(error) or any(_is_away(each) for each in chain(error))


def _is_away(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in _GATEWAY
    if isinstance(error, MlflowException):
        return str(error.error_code) == "TEMPORARILY_UNAVAILABLE" or any(f"code {n}" in str(error) for n in _GATEWAY)
    return isinstance(error, _AWAY)


def what_is(error: BaseException) -> str:
    """What is the matter, in a few words."""
    if is_full(error):
        return "has no space left to write to"
    return "answers with errors" if _is_in_trouble(error) else "does not answer"


def gave_up(uri: str, error: BaseException) -> Outage:
    """The outage of a server that was waited for in vain."""
    remedy = "free some" if is_full(error) else "see its log" if _is_in_trouble(error) else "start it"
    return Outage(without_secrets(uri), f"the tracking server {what_is(error)}", f"{remedy}; {GOES_ON}")


def _is_in_trouble(error: BaseException) -> bool:
    """Whether a server answers, and says that it cannot do its work: its database is away, or its disk is full."""
    return any(isinstance(each, requests.exceptions.RetryError) for each in chain(error))


def patiently(call: Callable[[], Any], uri: str) -> Any:
    """Make a call, again and again while the server is away.

    Args:
        call: does the same however often it is made.
        uri: the server's, for the lines.

    Raises:
        Outage: if the server is not back within the set time, or read-only.
    """
    began: float | None = None
    has_said = False
    for wait in waits():
        try:
            result = call()
        except Exception as error:
            if not may_pass(error):
                if (found := outage_of(error, without_secrets(uri))) is not None:
                    raise found from None
                raise
            began = began or time.monotonic()
            waited = time.monotonic() - began
            if waited + wait > patience():
                raise gave_up(uri, error) from None
            if not has_said and waited >= SAY_AFTER_S:
                has_said = True
                say(f"{without_secrets(uri)}: the tracking server {what_is(error)}; waiting for up to {patience():g} s")
        else:
            if has_said:
                say(f"{without_secrets(uri)}: the tracking server is back")
            return result
        time.sleep(wait)
    raise AssertionError("unreachable")


class _PatientClient:
    """An MLflow client whose calls wait for their server.

    Every call may be made twice where the server answered and the answer was lost: the server takes a metric with the
    same time, step and value, a parameter, a tag, an artifact or an end a second time as the same one.
    """

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self._client, self._uri = client, uri

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def call(*arguments: Any, **named: Any) -> Any:
            once = functools.partial(found, *arguments, **named)
            return patiently(functools.partial(_unless_overtaken, once), self._uri)

        return call


def _unless_overtaken(call: Callable[[], Any]) -> Any:
    """Make a call; once more where another process wrote the same row at this very moment: now it is there.

    Two trainings that begin together both find no such tag, alias or dataset yet, and both insert it.
    """
    try:
        return call()
    except MlflowException as error:
        if not any(words in str(error) for words in _OVERTAKEN):
            raise
        return call()


def patient(client: MlflowClient, uri: str) -> MlflowClient:
    """The same client, with patience."""
    return cast(MlflowClient, _PatientClient(client, uri))
