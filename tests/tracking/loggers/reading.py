"""What secondary loggers wrote, read back: TensorBoard's files by TensorBoard, W&B's by their published format."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.tracking import Tracking


def check_metrics(logged: Logged, tracking: Tracking) -> None:
    """Check that a run has the metrics that MLflow has: every step, as far as 32 bits tell."""
    assert logged.curves.keys() == tracking.get(logged.run_id).metrics.keys()
    for name, curve in logged.curves.items():
        history = tracking.client.get_metric_history(logged.run_id, name)
        assert [step for step, _ in curve] == [metric.step for metric in history], name
        assert [value for _, value in curve] == pytest.approx([metric.value for metric in history], rel=1e-6), name


@dataclass
class Logged:
    """A run as a logger has it: per metric its steps with values; parameters, tags; how it ended."""

    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    run_id: str = ""
    place: str = ""
    status: str = ""
    exit_code: int | None = None


def tensorboard_runs(workspace: Path) -> dict[str, Logged]:
    """The runs of a workspace by the ids that they have in MLflow; their places are their folders."""
    folder = workspace / "tensorboard"
    found = [_of_folder(folder, each) for each in {file.parent for file in folder.rglob("*tfevents*")}]
    return {logged.run_id: logged for logged in found}


def _of_folder(root: Path, folder: Path) -> Logged:
    """A run as TensorBoard itself reads its folder: all files of it, without what a later one purges."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import parse_session_end_info_plugin_data as ended
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data as started
    from tensorboard.util.tensor_util import make_ndarray

    read, found = (
        EventAccumulator(str(folder), size_guidance={"tensors": 0}),
        Logged(place=str(folder.relative_to(root))),
    )
    read.Reload()
    for tag in read.Tags()["tensors"]:
        if tag.endswith("/text_summary"):
            found.tags |= _facts([event.tensor_proto.string_val[0].decode() for event in read.Tensors(tag)][-1])
        elif not tag.startswith("_hparams_"):
            points = [(event.step, float(make_ndarray(event.tensor_proto))) for event in read.Tensors(tag)]
            found.curves[tag] = points
    sessions = read.PluginTagToContent("hparams") if "hparams" in read._plugin_to_tag_to_content else {}
    if sessions:
        values = started(sessions["_hparams_/session_start_info"]).hparams
        found.params = {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}
        was_finished = ended(sessions["_hparams_/session_end_info"]).status == 1
        found.status = found.tags["status"]
        assert was_finished == (found.status == "FINISHED")
    found.run_id = found.tags["run id"]
    return found


def _facts(table: str) -> dict[str, str]:
    """The rows of a table in Markdown."""
    rows = [line.strip("| ").split(" | ", 1) for line in table.splitlines()[2:]]
    return {row[0]: row[1] for row in rows if len(row) == 2}


def wandb_runs(workspace: Path) -> dict[str, Logged]:
    """The runs of a workspace by their ids, as ``wandb sync`` sends them; their places are ``project/group/name``."""
    found = [_of_records(path) for path in (workspace / "wandb").glob("offline-run-*/*.wandb")]
    return {logged.run_id: logged for logged in found}


def _of_records(path: Path) -> Logged:
    from wandb.proto.wandb_internal_pb2 import Record

    found = Logged()
    for content in _leveldb_records(path.read_bytes()):
        record = Record()
        record.ParseFromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found.place = f"{record.run.project}/{record.run.run_group}/{record.run.display_name}"
            found.run_id = record.run.run_id
            _configure(found, record.run.config.update)
        elif kind == "config":
            _configure(found, record.config.update)
        elif kind == "history":
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            for name, value in row.items():
                if not name.startswith("_") and name != "step":
                    found.curves.setdefault(name, []).append((row["step"], value))
        elif kind == "summary":
            values = {item.key or "/".join(item.nested_key): item.value_json for item in record.summary.update}
            found.status = json.loads(values["status"]) if "status" in values else found.status
        elif kind == "exit":
            found.exit_code = record.exit.exit_code
    return found


def _configure(found: Logged, items: Any) -> None:
    for item in items:
        name, value = item.key or item.nested_key[0], json.loads(item.value_json)
        if name == "tags":
            found.tags = value
        elif name not in ("mlflow", "_wandb"):
            found.params[name] = value


def _leveldb_records(content: bytes) -> list[bytes]:
    """The records of a file in LevelDB's log format, behind W&B's header of 7 bytes: blocks of 32 KiB, of which each
    part of a record has a checksum, its length and whether it is the whole (1), the first, a middle or the last (4)."""
    records, part, at, block = [], b"", 7, 1 << 15
    while at + 7 <= len(content):
        if block - at % block < 7:  # too short for a part
            at += block - at % block
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        part += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            records.append(part)
            part = b""
    return records


def csv_runs(workspace: Path) -> dict[str, Logged]:
    """The runs of the example logger by the ids that they have in MLflow; their places are their files."""
    folder, found = workspace / "csv", {}
    for path in folder.rglob("*.csv"):
        logged = Logged(place=str(path.relative_to(folder).with_suffix("")))
        for first, second, third in csv.reader(path.open(newline="", encoding="utf-8")):
            if first == "run":
                logged.run_id = second
            elif first == "setting":
                logged.params[second] = third
            elif first == "status":
                logged.status, logged.tags["asc.error"] = second, third
            else:
                logged.curves.setdefault(second, []).append((int(first), float(third)))
        found[logged.run_id] = logged
    return found
