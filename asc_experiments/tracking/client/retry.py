"""Patience with a tracking server that is away or full for a while: calls wait for it instead of failing."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from asc_experiments.base.durations import parse_duration
from asc_experiments.base.errors import without_secrets
from asc_experiments.base.outage import RESUMES, Failure, Outage, answer_of, failure_of, outage_of
from asc_experiments.base.progress import say
from asc_experiments.tracking.client.answers import as_the_server_says, listen
from asc_experiments.tracking.client.connection import upgrade_of
from asc_experiments.tracking.client.creating import OVERTAKEN, may_be_repeated, repeatable
from asc_experiments.tracking.client.limits import made_to_fit

_VARIABLE, _DEFAULT = "ASC_TRACKING_PATIENCE", "10m"
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 10.0
SAY_AFTER_S = 2.0
"""A server that is away for a moment is not worth a line."""
_WHAT = {
    Failure.FULL: ("has no space left to write to", "free some"),
    Failure.BUSY: ("asks for fewer calls (HTTP 429)", "have its limit raised, or set ASC_TRACKING_PATIENCE higher"),
    Failure.TROUBLE: ("answers with errors", "see its log"),
}
"""What is the matter, and what to do about it."""
_SHOWN = 200

listen()


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
    failure = failure_of(error)
    return failure is not None and failure.may_pass


def what_is(error: BaseException) -> str:
    """What is the matter, in a few words."""
    return _about(error)[0]


def gave_up(uri: str, error: BaseException) -> Outage:
    """The outage of a server that was waited for in vain."""
    what, remedy = _about(error)
    return Outage(without_secrets(uri), f"the tracking server {what}", f"{remedy}; {RESUMES}")


def that_stays(uri: str, error: BaseException) -> Exception | None:
    """What to raise instead of an error that does not pass; None where it says by itself what is wrong."""
    return outage_of(error, without_secrets(uri), upgrade=upgrade_of(uri)) or as_the_server_says(error)


def pause(error: BaseException, wait: float) -> float:
    """For how many seconds to wait after an error: as usual, or for as long as the server asks to be left alone."""
    answer = answer_of(error)
    return max(wait, (answer.wait_s or 0.0) if answer else 0.0)


def _about(error: BaseException) -> tuple[str, str]:
    failure, answer = failure_of(error), answer_of(error)
    what, remedy = _WHAT.get(failure or Failure.AWAY, ("does not answer", "start it"))
    if failure is Failure.TROUBLE and answer and answer.code:
        what += f" ({(answer.text or answer.code).splitlines()[0][:_SHOWN]})"
    return what, remedy


def patiently(call: Callable[[], Any], uri: str, seconds: float | None = None) -> Any:
    """Make a call, again and again while the server is away.

    Args:
        call: does the same however often it is made.
        uri: the server's, for the lines.
        seconds: for how long; as ``ASC_TRACKING_PATIENCE`` says by default.

    Raises:
        Outage: if the server is not back within the set time, or it is read-only, or its tables are not those of the
            installed version.
    """
    began: float | None = None
    has_said = False
    for usual in waits():
        try:
            result = call()
        except Exception as error:
            if not may_pass(error):
                if (told := that_stays(uri, error)) is not None:
                    raise told from None
                raise
            wait = pause(error, usual)
            began = began or time.monotonic()
            waited = time.monotonic() - began
            limit = patience() if seconds is None else seconds
            if waited + wait > limit:
                raise gave_up(uri, error) from None
            if not has_said and max(waited, wait - usual) >= SAY_AFTER_S:
                has_said = True
                say(f"{without_secrets(uri)}: the tracking server {what_is(error)}; waiting for up to {limit:g} s")
        else:
            if has_said:
                say(f"{without_secrets(uri)}: the tracking server is back")
            return result
        time.sleep(wait)
    raise AssertionError("unreachable")


class _PatientClient:
    """An MLflow client whose calls wait for their server, and are cut to what a server takes.

    Every call may be made twice where the server answered and the answer was lost: the server takes a metric with the
    same time, step and value, a parameter, a tag, an artifact or an end a second time as the same one. Of calls that
    create or delete something :func:`repeatable` sees to that; unknown ones of that kind are made once.
    """

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self._client, self._uri = client, uri

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def call(*arguments: Any, **named: Any) -> Any:
            fit, fit_named = made_to_fit(name, arguments, named)
            once = functools.partial(_unless_overtaken, repeatable(self._client, name, fit, fit_named))
            return patiently(once, self._uri, None if may_be_repeated(name) else 0.0)

        return call


def _unless_overtaken(call: Callable[[], Any]) -> Any:
    """Make a call; once more where another process wrote the same row at this very moment: now it is there.

    Two trainings that begin together both find no such tag, alias or dataset yet, and both insert it.
    """
    try:
        return call()
    except MlflowException as error:
        if not any(words in str(error) for words in OVERTAKEN):
            raise
        return call()


def patient(client: MlflowClient, uri: str) -> MlflowClient:
    """The same client, with patience."""
    return cast(MlflowClient, _PatientClient(client, uri))
