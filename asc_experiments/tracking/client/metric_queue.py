"""The outbox of a run: epoch metrics on their way to the tracking server, so that a training never waits for it.

A thread posts what was put in, in that order, and tries again while the server is away. What is in it when a process
is killed is lost with that process's run; the attempt that continues logs those epochs from its checkpoint.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from mlflow.entities import Metric

from asc_experiments.base.errors import without_secrets
from asc_experiments.base.progress import say
from asc_experiments.tracking.client.limits import METRICS_PER_CALL
from asc_experiments.tracking.client.retry import SAY_AFTER_S, gave_up, may_pass, pause, that_stays, waits, what_is


class Outbox:
    """Metrics that are on their way.

    Args:
        post: logs metrics in one call. Made twice with the same ones it logs them once, since they carry their time.
        uri: the server's, for the lines.
    """

    def __init__(self, post: Callable[[Sequence[Metric]], None], uri: str) -> None:
        self._post, self._uri = post, uri
        self._waiting: list[Metric] = []
        self._changed = threading.Condition()
        self._closed = False
        self._trouble: Exception | None = None
        self._is_lost = False
        self._thread = threading.Thread(target=self._deliver, name="outbox", daemon=True)
        self._thread.start()

    def put(self, metrics: Sequence[Metric]) -> None:
        """Send these after all that was put in before.

        Raises:
            Exception: what the server refused an earlier one with.
        """
        with self._changed:
            self._raise_if_lost()
            self._waiting += metrics
            self._changed.notify_all()

    def flush(self, patience: float) -> None:
        """Wait until everything has arrived.

        Args:
            patience: for how many seconds.

        Raises:
            Outage: if it has not arrived by then.
            Exception: what the server refused one with.
        """
        deadline = time.monotonic() + patience
        with self._changed:
            while self._waiting:
                self._raise_if_lost()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise gave_up(self._uri, self._trouble or TimeoutError()) from None
                self._changed.wait(left)
            self._raise_if_lost()

    def close(self) -> None:
        """Let the thread end; what has not arrived is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _raise_if_lost(self) -> None:
        if self._is_lost and self._trouble is not None:
            raise that_stays(self._uri, self._trouble) or self._trouble

    def _deliver(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                batch = self._waiting[:METRICS_PER_CALL]
            if not self._delivers(batch):
                return
            with self._changed:
                del self._waiting[: len(batch)]
                self._changed.notify_all()

    def _delivers(self, batch: Sequence[Metric]) -> bool:
        """Post a batch, as often as it takes; whether it has arrived."""
        began, has_said = time.monotonic(), False
        for usual in waits():
            wait = usual
            try:
                self._post(batch)
            except Exception as error:
                wait = pause(error, usual)
                with self._changed:
                    self._trouble, self._is_lost = error, not may_pass(error)
                    self._changed.notify_all()
                if self._is_lost:
                    return False
                if not has_said and time.monotonic() - began >= SAY_AFTER_S:
                    has_said = True
                    say(f"{without_secrets(self._uri)}: the tracking server {what_is(error)}; training continues")
            else:
                self._trouble = None
                if has_said:
                    say(f"{without_secrets(self._uri)}: the tracking server is back")
                return True
            with self._changed:
                if self._closed or self._changed.wait_for(lambda: self._closed, wait):
                    return False
        return False
