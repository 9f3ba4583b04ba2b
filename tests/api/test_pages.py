"""The Python of the documentation runs as it stands there: on a small corpus, from its first line to its last."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from docs.site.generated import NOTEBOOK, notebook
from tests.conftest import STUDY_OF_TWO

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def here(synth_corpus: Path, new_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what the pages speak of: a corpus, a study file, workspaces with empty databases."""
    shutil.copytree(synth_corpus, tmp_path / "demo_corpus")
    (tmp_path / "first.yaml").write_text(STUDY_OF_TWO.replace("name: tiny", "name: first"))
    for workspace in (".", "runs", "notebook_runs"):
        (tmp_path / workspace / "mlruns").mkdir(parents=True)
        shutil.copy(new_database, tmp_path / workspace / "mlruns")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_page(page: str) -> dict[str, object]:
    """Run the blocks of Python of a page, one after another; returns what they left."""
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", (DOCS / page).read_text())
    assert blocks, "a page without Python"
    space: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), space)
    return space


def test_reference_runs_from_a_corpus_to_predictions(here: Path) -> None:
    left = run_page("reference/python-api.md")
    assert len(left["trials"]) == 2  # type: ignore[arg-type]
    assert left["found"].version == 1  # type: ignore[attr-defined]
    assert left["softer"].name == "softer"  # type: ignore[attr-defined]
    assert (here / "first.html").is_file()


def test_model_of_transformers_becomes_a_teacher(here: Path) -> None:
    left = run_page("how-to/teachers-from-anywhere.md")
    teacher = left["teacher"]
    assert teacher.name == "AST"  # type: ignore[attr-defined]
    assert teacher.logits.values.shape == (200, 10)  # type: ignore[attr-defined]
    assert teacher.split.fraction == 0.2  # type: ignore[attr-defined]


def test_notebook_runs_and_ends_in_a_plot_and_a_report(here: Path) -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(book, timeout=900, resources={"metadata": {"path": str(here)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    told = "".join(output.get("text", "") for output in book.cells[-2].outputs)
    assert told.startswith("notebook: "), "the report begins with the study's name and its answer"


def test_notebook_is_stored_without_outputs_and_is_a_page() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    assert all(cell.source in notebook() for cell in book.cells)
