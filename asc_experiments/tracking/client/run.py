"""One run in the tracking server, written through :class:`Run`; it is read back as one of its records."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, Metric, Param, RunTag

from asc_experiments.base.errors import harmless
from asc_experiments.base.outage import outage_of
from asc_experiments.base.progress import say
from asc_experiments.tracking.client.limits import METRICS_PER_CALL, TAG, cut_at_line, in_calls, size_of
from asc_experiments.tracking.client.long_values import split
from asc_experiments.tracking.client.metric_queue import Outbox
from asc_experiments.tracking.client.records import ERROR, NOTE
from asc_experiments.tracking.client.retry import patience
from asc_experiments.tracking.loggers.following import Followers

_TABLES = "mlflow.loggedArtifacts"
_LAST_WORDS_S = 3.0
"""How long a run that is stopped waits for the curves that are on their way."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """Raised inside a run's block to end it as KILLED without being an error: pruned or interrupted."""


class Run:
    """Writes into one run.

    Args:
        client: waits for a server that is away.
        run_id: of the run.
        experiment_id: the run's.
        now: a client that does not wait; the same by default.
        uri: the server's, for messages.

    Attributes:
        until_ended: contexts entered here are left after the run has ended, with the exception that ended it.
        followers: the secondary loggers that are told of it; nobody where another part of the program began it.
    """

    def __init__(
        self, client: MlflowClient, run_id: str, experiment_id: str, now: MlflowClient | None = None, uri: str = ""
    ) -> None:
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id
        self.until_ended = ExitStack()
        self.followers = Followers()
        self._now, self._uri = now or client, uri
        self._outbox: Outbox | None = None

    def log(
        self, params: Mapping[str, object], metrics: Mapping[str, float], tags: Mapping[str, object], note: str
    ) -> None:
        """Log everything that is known of a run at its end in as few calls as the server takes."""
        now = int(time.time() * 1000)
        calls: dict[str, list[Any]] = {
            "params": list(in_calls(_params(params), size_of)),
            "tags": list(in_calls(self._tags({**tags, NOTE: cut_at_line(note, TAG)}), size_of)),
            "metrics": list(
                in_calls([Metric(key, value, now, 0) for key, value in metrics.items()], most=METRICS_PER_CALL)
            ),
        }
        for what, batches in calls.items():
            for batch in batches[1:]:
                self.client.log_batch(self.run_id, **{what: batch})
        self.client.log_batch(self.run_id, **{what: batches[0] for what, batches in calls.items() if batches})
        self.followers.scalars(0, metrics, now / 1000)

    def params(self, params: Mapping[str, object]) -> None:
        """Log parameters; they cannot be changed afterwards."""
        for batch in in_calls(_params(params), size_of):
            self.client.log_batch(self.run_id, params=batch)

    def tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; a value that is too long for one is kept as a file, and read back as the tag."""
        for batch in in_calls(self._tags(tags), size_of):
            self.client.log_batch(self.run_id, tags=batch)

    def _tags(self, tags: Mapping[str, object]) -> list[RunTag]:
        """Tags that may be set, after the files are there that some of them lead to."""
        texts, long = split(tags, TAG)
        for value in long.values():
            self.content(value.content, value.path)
        return [RunTag(key, value) for key, value in (texts | {key: value.tag for key, value in long.items()}).items()]

    def metrics(self, metrics: Mapping[str, float], step: int = 0, model_id: str | None = None) -> None:
        """Log metrics in one call, optionally for a logged model too."""
        now = int(time.time() * 1000)
        entries = [
            Metric(key, value, now, step, model_id=model_id, run_id=self.run_id) for key, value in metrics.items()
        ]
        for batch in in_calls(entries, most=METRICS_PER_CALL):
            self.client.log_batch(self.run_id, metrics=batch)
        self.followers.scalars(step, metrics, now / 1000)

    def curve(self, metrics: Mapping[str, float], step: int, time_ms: int) -> None:
        """Send an epoch's metrics on their way: in order, each once, and all of them before the run is FINISHED.

        Args:
            metrics: the epoch's.
            step: the epoch, counted from 1.
            time_ms: when it ended, in milliseconds since 1970. (With it, a metric posted twice is one metric.)
        """
        if self._outbox is None:
            self._outbox = Outbox(self._post, self._uri)
        self._outbox.put([Metric(key, value, time_ms, step) for key, value in metrics.items()])
        self.followers.scalars(step, metrics, time_ms / 1000)

    def _post(self, batch: Sequence[Metric]) -> None:
        self._now.log_batch(self.run_id, metrics=batch)

    def flush(self, seconds: float | None = None) -> None:
        """Wait until every epoch's metrics have arrived.

        Args:
            seconds: how long; as ``ASC_TRACKING_PATIENCE`` says by default.

        Raises:
            Outage: if they have not arrived by then.
        """
        if self._outbox is not None:
            self._outbox.flush(patience() if seconds is None else seconds)

    def close(self) -> None:
        """Send nothing more."""
        if self._outbox is not None:
            self._outbox.close()

    def file(self, path: Path, folder: str | None = None) -> None:
        """Log a file, under ``folder`` of the run's artifacts."""
        self.client.log_artifact(self.run_id, str(path), folder)

    def content(self, content: bytes, name: str) -> None:
        """Log bytes as a file of this name, which may hold folders."""
        with tempfile.TemporaryDirectory(prefix="asc-") as folder:
            path = Path(folder, Path(name).name)
            path.write_bytes(content)
            self.file(path, str(Path(name).parent))

    def table(self, columns: Mapping[str, Sequence[Any]], name: str) -> None:
        """Log a table that MLflow's UI shows as one. (MLflow's own call adds to a table that is there already.)"""
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        self.client.log_text(self.run_id, json.dumps({"columns": list(columns), "data": rows}), name)
        self.tags({_TABLES: json.dumps([{"path": name, "type": "table"}])})

    def dataset(self, name: str, digest: str, source: str, profile: str) -> None:
        """Log what the run was trained on, by our own digest (MLflow's misses changes in long tables)."""
        data = Dataset(name=name, digest=digest[:32], source_type="local", source=source, profile=profile)
        entry = DatasetInput(data, [InputTag("mlflow.data.context", "training")])
        self.client.log_inputs(self.run_id, datasets=[entry])

    def uses_models(self, model_ids: Sequence[str]) -> None:
        """Record that the run was made from these logged models (MLflow's lineage)."""
        self.client.log_inputs(self.run_id, models=[LoggedModelInput(model_id) for model_id in model_ids])

    def end(self, status: str, error: str = "") -> None:
        """End the run with a status, and the reason as a tag."""
        self._end(self.client, status, error)
        self._tell_end(status)

    def end_anyhow(self, status: str, reason: str) -> None:
        """End the run after its work has failed; where even that fails, what failed first is what must be told."""
        with suppress(Exception):
            self.flush(_LAST_WORDS_S)
        try:
            self._end(self._now, status, reason)
        except Exception as error:  # the server is gone: the next sweep ends the run
            say(f"run {self.run_id}: could not be ended as {status} ({type(error).__name__})")
        self._tell_end(status)

    def _tell_end(self, status: str) -> None:
        self.followers.finish(status, lambda: self._now.get_run(self.run_id), time.time())

    def _end(self, client: MlflowClient, status: str, error: str) -> None:
        if error:
            client.log_batch(self.run_id, tags=[RunTag(ERROR, harmless(error)[:4_000])])
        client.set_terminated(self.run_id, status)


@contextmanager
def with_final_status(run: Run) -> Iterator[Run]:
    """End a run as the block ends: FINISHED, FAILED with the error, or KILLED.

    Raises:
        Outage: if the block raised something that means one, such as a full disk.
    """
    with run.until_ended:
        try:
            yield run
            run.flush()
            run.end("FINISHED")
        except (Stopped, KeyboardInterrupt, SystemExit) as stop:
            run.end_anyhow("KILLED", str(stop) or "interrupted")
            raise
        except BaseException as error:
            outage = outage_of(error, run.run_id)
            if outage is not None:
                run.end_anyhow("KILLED", str(outage))
                raise outage from None
            run.end_anyhow("FAILED", f"{type(error).__name__}: {error}")
            raise
        finally:
            run.close()


def _params(params: Mapping[str, object]) -> list[Param]:
    return [Param(key, str(value)) for key, value in params.items()]
