"""Ids in texts become those of the new place, and nothing else changes."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.migration.ids import Ids, NewRun, map_files

A, B, C = "a" * 32, "b" * 32, "c" * 32
IDS = Ids({A: NewRun(B, "7")}, {f"m-{A}": f"m-{C}"}, {("asc-student", 3): 1})


def test_links_runs_and_models_get_their_new_ids() -> None:
    text = f"[trial 2](#/experiments/2/runs/{A}), logged model `m-{A}`, run {A}."
    assert IDS.text(text) == f"[trial 2](#/experiments/7/runs/{B}), logged model `m-{C}`, run {B}."


def test_what_is_not_moved_keeps_its_id() -> None:
    text = f"[trial 1](#/experiments/2/runs/{C}) m-{B} {A}0 x{A}"
    assert IDS.text(text) == text


def test_a_version_with_another_number_is_named_by_it() -> None:
    card = (
        "# asc-student, version 3\n\nasc predict models:/asc-student/3 FOLDER; models:/asc-student/30; models:/other/3"
    )
    assert IDS.text(card) == (
        "# asc-student, version 1\n\nasc predict models:/asc-student/1 FOLDER; models:/asc-student/30; models:/other/3"
    )


@given(st.text())
def test_a_text_without_ids_stays_as_it_is(text: str) -> None:
    assert IDS.text(text) == text


def test_files_that_hold_ids_are_changed_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(f"artifact_path: file:///old/place\nmodel_id: m-{A}\nrun_id: {A}\n")
    (tmp_path / "logits.npz").write_bytes(A.encode())
    map_files(tmp_path, IDS, "mlflow-artifacts:/1/models")
    assert (
        tmp_path / "MLmodel"
    ).read_text() == f"artifact_path: mlflow-artifacts:/1/models\nmodel_id: m-{C}\nrun_id: {B}\n"
    assert (tmp_path / "logits.npz").read_bytes() == A.encode()
