"""Which tier a test is in: by its folder or file, and by the browser that it asks for.

``make test`` runs unit and integration tests and a sample of each slow tier; ``make test-all`` runs everything.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SLOW = tuple((TESTS / "slow_tests.txt").read_text().split())
"""Single tests that take seconds each, among quick ones: `make test-rest` runs them.

``python -m tests.tiers LOG SECONDS`` writes them, from what pytest printed with ``--durations=0``: those that take so
long, and are in no slow tier by name.
"""

SLOW_TIERS = {
    "faults": ("faults", "study/test_interruptions.py"),
    "ray": ("study/executors/ray", "faults/test_ray_head.py"),
    "browser": ("report/test_browser.py", "tracking/test_pages.py"),
    "stack": ("docker/test_stack.py", "tracking/ui/test_server.py"),
    "release": ("release",),
    "end_to_end": (
        "api/test_pages.py", "bench/test_at_scale.py", "bench/test_load.py", "bench/test_many_runs.py",
        "bench/test_whole_study.py", "cli/test_clip_length.py", "cli/test_demo.py", "extending",
        "submission/test_how_to.py",
        "bench/test_gpu.py::test_students_side_by_side_are_measured_together",
        "bench/test_gpu.py::test_students_that_are_not_ready_in_time_are_one_line",
        "gpu/test_training.py::test_students_side_by_side_are_those_that_are_trained_singly",
        "cli/test_whole_path.py::test_from_nothing_to_a_prediction",
        "cli/test_log_to.py::test_study_of_two_workers_has_in_tensorboard_what_it_has_in_mlflow",
        "migration/test_relocated_study.py", "migration/test_round_trip.py",
    ),
    "slow": SLOW,
}  # fmt: skip
"""Folders, files and tests that take tens of seconds each, or seconds where others of the file are quick."""

UNIT = (
    "augment",
    "base",
    "corpus",
    "docs",
    "fuzz",
    "metrics",
    "models",
    "statistics",
    "training",
    "study/definition",
    "study/search",
)
"""Folders of tests of one part of the program; the rest are of several parts together."""

SAMPLE = (
    "cli/test_demo.py::test_demo_stops_at_the_first_command_that_fails",
    "cli/test_whole_path.py::test_from_nothing_to_a_prediction",
    "docker/test_stack.py::test_wrong_credentials_are_one_line",
    "extending/test_architecture.py::test_its_version_and_its_source_are_part_of_its_keys",
    "faults/test_clock.py::test_durations_are_true_while_the_clock_jumps",
    "faults/test_damage.py::test_whichever_bit_of_the_cache_is_wrong_the_training_goes_on_and_ends_the_same",
    "faults/test_disk.py::test_full_cache_costs_the_checkpoints_and_nothing_else",
    "faults/test_disk.py::test_read_only_workspace_is_one_line_whatever_is_asked",
    "release/test_audit.py",
    "release/test_finding_studies.py",
    "release/test_wheel.py::test_wheel_holds_the_program_and_its_studies_and_nothing_else",
    "report/test_browser.py::test_page_draws_every_chart_in_silence_and_without_the_network",
    "report/test_browser.py::test_table_is_sorted_by_mouse_and_by_keyboard",
    "study/executors/ray/test_options.py",
    "study/executors/ray/test_worker.py",
    "study/runner/test_driver.py::test_study_reaches_its_total_and_trains_each_teacher_once",
    "study/test_interruptions.py::test_interrupted_trial_is_asked_again",
    "study/test_interruptions.py::test_trial_finished_in_mlflow_before_a_kill_is_not_run_again",
)
"""What ``make test`` runs of the slow tiers, by the beginning of a test's name."""


def is_in(test: str, places: tuple[str, ...]) -> bool:
    """Whether a test, by its path below ``tests``, lies in one of these folders or files."""
    return any(test == place or test.startswith((f"{place}/", f"{place}::", f"{place}[")) for place in places)


def sort_into_tiers(items: list[pytest.Item]) -> None:
    """Mark every test with its tier, and those of slow tiers that ``make test`` runs."""
    for item in items:
        test = item.nodeid.removeprefix("tests/")
        tiers = [tier for tier, places in SLOW_TIERS.items() if is_in(test, places)]
        for tier in tiers or ["unit" if is_in(test, UNIT) else "integration"]:
            item.add_marker(tier)
        if tiers and test.split("[")[0].startswith(SAMPLE):
            item.add_marker("sample")


def _long_ones(log: str, seconds: float) -> list[str]:
    """The quick tests of a log that took so long, on average over their parameters."""
    times = defaultdict(list)
    for took, name in re.findall(r"^ *([\d.]+)s call +tests/([^\s\[]+)", log, re.M):
        times[name].append(float(took))
    elsewhere = tuple(place for tier, places in SLOW_TIERS.items() if tier != "slow" for place in places)
    long = (name for name, each in times.items() if sum(each) / len(each) >= seconds)
    return sorted(name for name in long if not is_in(name, elsewhere))


if __name__ == "__main__":
    long_ones = _long_ones(Path(sys.argv[1]).read_text(errors="replace"), float(sys.argv[2]))
    (TESTS / "slow_tests.txt").write_text("\n".join(long_ones) + "\n")
