"""What a tracking server answers when it does not do as asked: its own words, and how long it asks to be left alone.

Of an answer with status 429, or from 500 on, MLflow's client lets urllib3 keep the status alone: the words, by which a
full disk, a missing table and a wrong call are told apart, are dropped with the rest. They are read before that.
"""

from __future__ import annotations

import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from mlflow.exceptions import MlflowException, RestException
from mlflow.utils import request_utils
from urllib3 import BaseHTTPResponse, Retry
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError

from asc_experiments.base.outage import Answer, answer_of

_READ, _TOLD = 1 << 16, 2_000
"""How many bytes of an answer are read, and how many characters of it are told."""


class _Telling(Retry):
    """Counts tries as urllib3 does, and has its last error say what was answered."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        try:
            return super().increment(method, url, response, error, _pool, _stacktrace)
        except MaxRetryError as given_up:
            if response is not None:
                given_up.answer = self._answer(response)  # type: ignore[attr-defined]
            raise

    def _answer(self, response: BaseHTTPResponse) -> Answer:
        content, wait = b"", None
        with suppress(HTTPError, OSError):
            content = response.read(_READ, decode_content=True)
        with suppress(HTTPError):  # what stands there is no time
            wait = self.get_retry_after(response)
        text = content.decode(errors="replace")
        said: Any = None
        with suppress(ValueError):
            said = json.loads(text)
        if not isinstance(said, dict):
            return Answer(response.status, "", text[:_TOLD], wait)
        return Answer(response.status, str(said.get("error_code", "")), str(said.get("message", ""))[:_TOLD], wait)


def listen() -> None:
    """Have the errors of MLflow's client tell what a server answered, as :func:`answer_of` finds it."""
    vars(request_utils)["Retry"] = _Telling  # MLflow has no setting for it


def as_the_server_says(error: BaseException) -> MlflowException | None:
    """An error in the words of the server that refused a call; None where those are not known."""
    answer = answer_of(error)
    if answer is None or not answer.code:
        return None
    return RestException({"error_code": answer.code, "message": answer.text})
