"""A logger as another package would add it: this one file, and a line of the package's description."""

import csv
from collections.abc import Mapping

from asc_experiments.tracking.loggers import RunLogger, StartedRun, register_logger


@register_logger
class CsvFiles(RunLogger):
    """One table per run: a row for each metric of each epoch."""

    name = "csv_files"

    def start(self, run: StartedRun) -> None:
        """A new file; a training that resumes begins it again."""
        path = run.workspace / "csv" / run.place.with_name(f"{run.place.name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow(["run", run.run_id, run.experiment])

    def scalars(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """A row for each."""
        self._rows.writerows([step, name, value] for name, value in values.items())
        self._file.flush()

    def finish(self, status: str, params: Mapping[str, float | str], tags: Mapping[str, str]) -> None:
        """The settings, and how it ended."""
        self._rows.writerows(["setting", name, value] for name, value in params.items())
        self._rows.writerow(["status", status, tags.get("asc.error", "")])
        self._file.close()
