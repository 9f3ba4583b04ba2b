"""Where the study of a benchmark is, for every process that takes part in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asc_experiments.tracking import Tracking


@dataclass(frozen=True)
class Place:
    """A workspace for the benchmark alone, and the servers that are measured.

    Attributes:
        root: the workspace; the corpus is in it.
        tracking_uri: of a tracking server or database; the workspace's own where it is None.
        storage: Optuna's; the workspace's own journal where it is None.
        study: the study's name.
    """

    root: Path
    tracking_uri: str | None
    storage: str | None
    study: str

    def options(self) -> list[str]:
        """The same for the command line."""
        return self.of_tracking() + (["--storage", self.storage] if self.storage else [])

    def of_tracking(self) -> list[str]:
        """Those of commands that ask the tracking server alone."""
        return ["--workspace", str(self.root)] + (["--tracking-uri", self.tracking_uri] if self.tracking_uri else [])

    def tracking(self) -> Tracking:
        """A connection."""
        return Tracking.open(self.root, self.tracking_uri)
