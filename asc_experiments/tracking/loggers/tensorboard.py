"""TensorBoard's event files, one folder a run: ``tensorboard/`` in the workspace.

They are written record by record in the process that trains. (The writers of TensorBoard and tensorboardX have a thread
for it, behind a queue: where the thread dies of a full disk, that of tensorboardX fills and blocks whoever logs.)
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from asc_experiments.tracking.loggers.logger import RunLogger, StartedRun, register_logger

if TYPE_CHECKING:
    from tensorboardX import RecordWriter

FOLDER = "tensorboard"
_RUN, _END = "run", "end"


@register_logger
class TensorBoard(RunLogger):
    """Curves and scores as scalars, parameters for the HParams page, tags as text."""

    name = "tensorboard"
    needs = "tensorboardX"
    install = "pip install 'asc_experiments[tensorboard]'"
    _writer: RecordWriter

    def start(self, run: StartedRun) -> None:
        """Begin a file; what an earlier attempt wrote in the same folder is purged by whoever reads both."""
        from tensorboardX import RecordWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        folder = run.workspace / FOLDER / run.place
        folder.mkdir(parents=True, exist_ok=True)
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)  # files are read in the order of their names
        name = f"events.out.tfevents.{seconds}.{socket.gethostname()}.{nanoseconds:09d}"
        self._writer = RecordWriter(str(folder / name))
        self._write(file_version="brain.Event:2")
        self._write(step=0, session_log=SessionLog(status=SessionLog.START))
        about = {"experiment": run.experiment, "name": run.name, "run id": run.run_id, "page in MLflow": run.page}
        self._text(_RUN, about | dict(run.tags))
        self._writer.flush()

    def scalars(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """One event for all of them."""
        from tensorboardX.proto.summary_pb2 import Summary

        entries = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(seconds, step=step, summary=Summary(value=entries))
        self._writer.flush()

    def finish(self, status: str, params: Mapping[str, float | str], tags: Mapping[str, str]) -> None:
        """Parameters, tags and status, and the end of the file."""
        self._text(_END, {"status": status, **tags})
        self._session(status, params)
        self._writer.flush()
        self._writer.close()

    def _session(self, status: str, params: Mapping[str, float | str]) -> None:
        """The run as a session of the HParams plugin.

        No description of the experiment is written: TensorBoard then gathers parameters and metrics of all runs, where
        it would otherwise take those of the first.
        """
        from tensorboardX.proto.api_pb2 import Status
        from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

        start = SessionStartInfo()
        for name, value in params.items():
            if isinstance(value, bool):
                start.hparams[name].bool_value = value
            elif isinstance(value, int | float):
                start.hparams[name].number_value = value
            else:
                start.hparams[name].string_value = value
        end = SessionEndInfo(status=Status.Value("STATUS_SUCCESS" if status == "FINISHED" else "STATUS_FAILURE"))
        sessions = {
            "session_start_info": HParamsPluginData(session_start_info=start),
            "session_end_info": HParamsPluginData(session_end_info=end),
        }
        for name, content in sessions.items():
            self._plugin(f"_hparams_/{name}", "hparams", content.SerializeToString())

    def _text(self, tag: str, facts: Mapping[str, str]) -> None:
        """A table of facts on the page of texts, which shows Markdown."""
        from tensorboardX.proto.tensor_pb2 import TensorProto

        rows = "".join(f"| {key} | {_in_cell(value)} |\n" for key, value in facts.items())
        table = f"| | |\n|---|---|\n{rows}".encode()
        tensor = TensorProto(dtype="DT_STRING", string_val=[table])  # of no dimension: one text, no list of texts
        self._plugin(f"{tag}/text_summary", "text", b"", tensor=tensor)

    def _plugin(self, tag: str, plugin: str, content: bytes, **value: Any) -> None:
        from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

        data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
        entry = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=data), **value)
        self._write(step=0, summary=Summary(value=[entry]))

    def _write(self, seconds: float | None = None, **event: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        wall_time = time.time() if seconds is None else seconds
        self._writer.write(Event(wall_time=wall_time, **event).SerializeToString())


def _in_cell(text: str) -> str:
    """A text that ends neither its cell nor its row."""
    return text.replace("|", "\\|").replace("\n", "<br>")
