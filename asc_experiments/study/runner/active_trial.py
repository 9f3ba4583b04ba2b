"""An active trial: its steps, what it waits for, and whether it is still this driver's."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from optuna.trial import Trial

from asc_experiments.study.executors.jobs import TakenOver, has_ended, unless_taken_over
from asc_experiments.study.runner.trial_runner import Steps


@dataclass(eq=False)
class ActiveTrial:
    """An active trial, and what it waits for."""

    trial: Trial
    steps: Steps[tuple[float, ...]]
    waits_for: tuple[Future[Any], ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether what it waits for is done."""
        return all(future.done() for future in self.waits_for)

    def advance(self) -> None:
        """Take the next steps, as long as there is nothing to wait for.

        Raises:
            StopIteration: if the trial is over; with its values.
            TakenOver: if it was told by somebody else, while this process, or its host, slept.
        """
        while self.is_ready:
            if has_ended(self.trial):
                self.steps.throw(TakenOver())
            with unless_taken_over(self.trial):
                self.waits_for = tuple(next(self.steps))
