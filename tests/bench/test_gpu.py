"""``asc bench gpu``: tried on a processor with few clips; what it says of a GPU follows from what it is told."""

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asc_experiments.base.errors import AscError
from asc_experiments.bench import beside as beside_module
from asc_experiments.bench import device_use, gpu
from asc_experiments.bench.beside import students_beside
from asc_experiments.bench.device_use import NvidiaSmi, computing_seconds
from asc_experiments.bench.gpu import CP_RESNET, GOALS, PASST, STUDENT, Figures, GpuSuite, measure, measure_all
from asc_experiments.bench.made_up import SCENES, made_up_clips, made_up_responses, made_up_targets, made_up_waveforms
from asc_experiments.bench.table import gpu_goal, gpu_table, shares
from asc_experiments.study.executors import local
from asc_experiments.training import make_recipe

CPU = torch.device("cpu")
TINY = {
    STUDENT: make_recipe("cp_mobile", "dirfms", base_channels=8, batch_size=16),
    CP_RESNET: make_recipe("cp_resnet", "dirfms", base_channels=10, batch_size=16),
    PASST: make_recipe("passt", "dirfms", embed_dim=32, depth=1, num_heads=2, batch_size=16),
}


class Clock:
    """Stands still but where clips are worked on."""

    def __init__(self, seconds_per_clip: float) -> None:
        self.now, self.seconds_per_clip = 0.0, seconds_per_clip
        self.done: list[int] = []

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic

    def run(self, rows: np.ndarray) -> None:
        self.done.append(len(rows))
        self.now += self.seconds_per_clip * len(rows)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Clock]:
    def set_(seconds_per_clip: float) -> Clock:
        made = Clock(seconds_per_clip)
        monkeypatch.setattr(gpu, "time", made)
        monkeypatch.setattr(gpu, "busy_share", lambda work, seconds, device: 0.5)
        return made

    return set_


def test_everything_is_measured_on_a_processor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_WARM_UP", 1)
    monkeypatch.setattr(gpu, "_EPOCHS", 1)
    suite = GpuSuite(CPU, 64, 2, TINY)
    works = {name: work for name, work in suite.works().items() if name != "students_side_by_side"}
    found = measure_all(suite, works, 120, lambda: None)
    assert list(found) == list(works)
    for name, figures in found.items():
        assert figures.clips_per_s is not None, figures.note
        assert figures.clips_per_s > 0
        assert figures.peak_mib is not None
        assert figures.all_clips_s is not None
        if name != "resident_clips":
            assert figures.busy_percent is not None
            assert 0 < figures.busy_percent <= 100


def test_students_side_by_side_are_measured_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside_module, "_MOST_TRAINING_S", 0.5)
    beside = students_beside(TINY[STUDENT], 64, CPU, 2, seconds=120)
    assert beside.clips_per_s > 0
    assert beside.peak_mib > 100
    assert (beside.busy, beside.used_mib) == (None, None)


def test_students_that_are_not_ready_in_time_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_GRACE_S", 0.5)
    with pytest.raises(AscError, match=r"2 students side by side: were not ready within \d s; give more --minutes"):
        students_beside(TINY[STUDENT], 64, CPU, 2, seconds=0.5)


def test_epoch_that_fits_is_measured_whole_and_thrice(clock: Callable[[float], Clock]) -> None:
    made = clock(0.01)
    figures = measure(made.run, np.arange(1_000), 10, 100, CPU)
    assert made.done == [10, 10, 200, 1_000, 1_000, 1_000]
    assert figures.all_clips_s == pytest.approx(10)
    assert figures.clips_per_s == pytest.approx(100)
    assert figures.ms_per_batch == pytest.approx(100)
    assert (figures.busy_percent, figures.note) == (50, "")


def test_epoch_that_does_not_fit_is_measured_in_part_and_not_said_to_be_an_epoch(
    clock: Callable[[float], Clock],
) -> None:
    made = clock(0.1)
    figures = measure(made.run, np.arange(10_000), 10, 100, CPU)
    assert figures.all_clips_s is None
    assert figures.clips_per_s == pytest.approx(10)
    assert made.done == [10, 10, 100, 610]
    assert figures.note == "of 610 clips: all would take about 1,000 s, and had 62 s"
    assert made.now < 100


def test_where_a_batch_takes_longer_than_there_is_time_one_is_all(clock: Callable[[float], Clock]) -> None:
    made = clock(1.0)
    figures = measure(made.run, np.arange(10_000), 10, 15, CPU)
    assert made.done == [10, 10]
    assert figures.clips_per_s == pytest.approx(1)
    assert (figures.all_clips_s, figures.busy_percent) == (None, None), "no time was left"


def test_fewer_clips_than_a_batch_are_one(clock: Callable[[float], Clock]) -> None:
    made = clock(0.1)
    figures = measure(made.run, np.arange(8), 256, 10, CPU)
    assert set(made.done) == {8}
    assert figures.all_clips_s == pytest.approx(0.8)
    assert figures.ms_per_batch == pytest.approx(800)


def test_works_share_the_time_and_one_that_fails_is_told(
    clock: Callable[[float], Clock], capsys: pytest.CaptureFixture[str]
) -> None:
    made, had = clock(0.1), {}

    def work(name: str, takes: float, error: Exception | None = None) -> tuple[float, gpu.Work]:
        def do(seconds: float) -> Figures:
            had[name] = seconds
            made.now += takes
            if error is not None:
                raise error
            return Figures(1.0)

        return (2.0 if name == "long" else 1.0), do

    works = {
        "short": work("short", 5),
        "long": work("long", 25, AscError("x", "does not fit", "do less")),
        "odd": work("odd", 90, ValueError("two\nlines")),
        "last": work("last", 1),
    }
    done = measure_all(GpuSuite(CPU, 64, 2), works, 100, lambda: None)
    assert had == pytest.approx({"short": 20, "long": 95 / 2, "odd": 35}), "what one leaves the next ones have"
    assert done["short"] == Figures(1.0)
    assert done["long"].note == "not measured: x: does not fit; do less"
    assert done["odd"].note == "not measured: ValueError: two\\nlines"
    assert done["last"].note == "not measured: no time left"
    assert "Traceback" in capsys.readouterr().err, "of what is no fault of the user"


def test_goals_are_met_or_not_or_open() -> None:
    goals = GOALS["student_distillation_epoch"]
    both = "at most 8 s{}, at least 90 % busy{}"
    assert gpu_goal(Figures(7.9, busy_percent=91), goals) == both.format(": met", ": met")
    assert gpu_goal(Figures(8.1, busy_percent=89), goals) == both.format(": not met", ": not met")
    assert gpu_goal(Figures(note="not measured: no time left"), goals) == both.format("", "")
    assert gpu_goal(Figures(1.0), {}) == ""


def test_table_says_what_is_known_and_goals_for_the_true_number_of_clips_alone() -> None:
    works = {"passt_epoch": Figures(44.0, 3_173.2, 25.2, 93.0, peak_mib=9_000.0), "student_logits": Figures(note="no")}
    for with_goals, goal in ((True, "at most 45 s: met, at least 90 % busy: met"), (False, "")):
        table = gpu_table(works, "GPU: x", with_goals)
        cells = [list(column.cells) for column in table.columns]
        assert [row[0] for row in cells] == [
            "passt epoch", "44.0 s", "3,173", "25.2", "93.0 %", "", "9,000 MiB", "", "", goal, "",
        ]  # fmt: skip
        assert [row[1] for row in cells] == ["student logits", *[""] * 9, "no"]


def event(kind: str, start: float, end: float, is_named: bool = False, **more: object) -> SimpleNamespace:
    span = SimpleNamespace(start=start, end=end)
    return SimpleNamespace(device_type=SimpleNamespace(name=kind), time_range=span, is_user_annotation=is_named, **more)


def test_gpu_computes_while_a_kernel_runs_however_many_do() -> None:
    events = [
        event("CPU", 0, 9e6),
        event("CUDA", 0, 8e6, is_named=True),
        event("CUDA", 1e6, 2e6),
        event("CUDA", 1.5e6, 3e6),
        event("CUDA", 1.6e6, 1.7e6),
        event("CUDA", 5e6, 5.5e6),
    ]
    assert computing_seconds(reversed(events)) == pytest.approx(2.5)
    assert computing_seconds([]) == 0


def test_costliest_operations_count_a_kernel_once() -> None:
    def operation(kind: str, key: str, on_gpu: float, on_host: float) -> SimpleNamespace:
        return event(kind, 0, 1, key=key, self_device_time_total=on_gpu, self_cpu_time_total=on_host)

    operations = [
        operation("CPU", "convolution", 60, 5), operation("CUDA", "kernel of it", 60, 0),
        operation("CPU", "add", 30, 15), operation("CPU", "mul", 10, 20), operation("CPU", "item", 0, 60),
    ]  # fmt: skip
    assert shares(operations, on_gpu=True) == [("convolution", 0.6), ("add", 0.3), ("mul", 0.1)]
    assert shares(operations, on_gpu=False) == [("item", 0.6), ("mul", 0.2), ("add", 0.15)]


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A program of that name, which says something and then goes on until it is ended."""

    def make(says: str) -> Path:
        program = tmp_path / "nvidia-smi"
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nprintf "{says}"\nexec sleep 60\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(device_use, "_name_of", lambda device: "GPU-1-2")
        monkeypatch.setattr(device_use, "_LOOKS_BACK_S", 0.0)
        return tmp_path / "asked"

    return make


def listened(lines: int) -> NvidiaSmi:
    """What was said once so many lines are there."""
    with NvidiaSmi(torch.device("cuda")) as smi:
        until = time.monotonic() + 30
        while len(smi._said) < lines and time.monotonic() < until:
            time.sleep(0.01)
    return smi


def test_nvidia_smi_is_asked_for_this_gpu_and_averaged(nvidia_smi: Callable[[str], Path]) -> None:
    asked = nvidia_smi(r"80, 900\n90, 1000\n[N/A], 950\n")
    smi = listened(3)
    assert smi.busy(0, time.monotonic()) == pytest.approx(0.85)
    assert smi.used_mib == 1_000
    assert smi.busy(time.monotonic(), time.monotonic()) is None, "nothing was said in this time"
    assert "--id=GPU-1-2 --query-gpu=utilization.gpu,memory.used" in asked.read_text()


def test_what_nvidia_smi_does_not_know_is_not_said(nvidia_smi: Callable[[str], Path]) -> None:
    nvidia_smi(r"No devices were found\n[N/A], [N/A]\n")
    smi = listened(2)
    assert (smi.busy(0, time.monotonic()), smi.used_mib) == (None, None)


def test_made_up_clips_are_int16_that_differ_and_take_little_memory() -> None:
    waveforms = made_up_waveforms(1_000)
    assert (waveforms.shape, waveforms.dtype) == ((1_000, 32_000), np.int16)
    assert len(np.unique(waveforms[:, 0])) > 800
    assert waveforms.base is not None, "a view"
    source = made_up_clips(1_000, CPU)
    assert 0.68 < source.is_reference.mean() < 0.78
    assert source.labels(np.arange(20)).tolist() == [*range(len(SCENES))] * 2
    assert made_up_targets(1_000).logits.shape == (1_000, len(SCENES))
    assert np.abs(made_up_responses()).max() > 0


def test_without_a_gpu_it_is_one_line_with_what_to_do(asc: Callable) -> None:
    for more in ([], ["--list"]):
        result = asc("bench", "gpu", *more)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("error: asc bench gpu: no CUDA device was found (PyTorch ")
        assert "try it with --device cpu --clips 64" in result.err
        assert len(result.err.splitlines()) == 1


def test_list_says_what_would_be_measured(asc: Callable) -> None:
    result = asc("bench", "gpu", "--device", "cpu", "--list", "--only", "passt_epoch")
    assert result.code == 0
    assert result.out.startswith("CPU: ")
    assert result.out.endswith(", 139,620 clips, 7 minutes: passt_epoch\n")
    unknown = asc("bench", "gpu", "--device", "cpu", "--list", "--only", "speed")
    assert unknown.code == 2
    assert unknown.err.startswith("error: --only speed: is not measured; valid: resident_clips, student_distillation_")


def test_what_is_printed_is_written_with_the_machine(asc: Callable, tmp_path: Path) -> None:
    few = ("--clips", 64, "--minutes", 0.5, "--only", "resident_clips", "--only", "cp_resnet_epoch")
    result = asc("bench", "gpu", "--device", "cpu", *few, "--json", "-o", tmp_path / "gpu.json")
    assert result.code == 0, result.err
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["works"] == json.loads(result.out)
    assert list(record["works"]) == ["resident_clips", "cp_resnet_epoch"]
    assert record["machine"].startswith("CPU: ")
    assert (record["clips"], record["minutes"], record["goals"]) == (64, 0.5, GOALS)


def test_every_work_with_a_goal_is_measured() -> None:
    assert set(GOALS) <= set(GpuSuite(CPU, 64, 2).works())
