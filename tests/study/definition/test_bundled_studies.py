"""The studies that come with the program: valid at every scale, complete, and they run as they say."""

from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState

from asc_experiments.distill import TrainingContext
from asc_experiments.report.analysis.comparison import compare_study
from asc_experiments.study.definition.study_file import StudyFile, read_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.search.search_space import SearchSpace
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking.trials import best_trial, finished_trials

FOLDER = Path(__file__).parents[3] / "studies"
SHIPPED = sorted(FOLDER.glob("*.yaml"))
WITHOUT_SCALE = ("field_recordings", "field_places")
"""The study of a small corpus is at its only scale."""
SCALED = [(path, scale) for path in SHIPPED for scale in (None, *read_study(path).scales)]
CELLS = {
    ("dcase2025", None): 3,
    ("dcase2025", "small"): 2,
    ("label_budget", None): 20,
    ("label_budget", "small"): 6,
    ("field_places", None): 7,
    ("field_places", "small"): 7,
    ("paper_device_generalisation", None): 12,
    ("paper_device_generalisation", "small"): 4,
    ("paper_ensemble_size", None): 6,
    ("paper_ensemble_size", "small"): 4,
    ("paper_ensemble_strategy", None): 9,
    ("paper_ensemble_strategy", "small"): 4,
    ("paper_teacher_size", None): 12,
    ("paper_teacher_size", "small"): 6,
}
every_scale = pytest.mark.parametrize(
    ("path", "scale"), SCALED, ids=[path.stem + (f"-{scale}" if scale else "") for path, scale in SCALED]
)


def lists_of(study: StudyFile) -> tuple[str, ...]:
    return study.corpus.files if study.corpus else ()


def space(path: Path, scale: str | None = None) -> SearchSpace:
    return SearchSpace(read_study(path, scale=scale))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_file_says_what_it_is_and_how_to_run_it(path: Path) -> None:
    head = path.read_text().split("name:")[0]
    for heading in ("What it answers:", "What it needs:", "Command:"):
        assert f"# {heading}" in head
    assert f"asc study run studies/{path.name} " in head
    study = read_study(path)
    assert study.name == path.stem.replace("_", "-")
    assert study.description
    assert ("small" in study.scales) == (path.stem not in WITHOUT_SCALE)
    assert bool(study.citation) or not path.stem.startswith("paper_")
    assert f"`{path.name}`" in (FOLDER / "README.md").read_text()


@every_scale
def test_file_is_valid_at_every_scale(path: Path, scale: str | None) -> None:
    search = space(path, scale)
    search.check(str(path))
    assert search.study.name.endswith(f"-{scale}" if scale else "")
    uses_published_weights = any(recipe.pretrained != "none" for recipe in search.recipes)
    assert scale is None or not uses_published_weights, "a small study needs no download and no GPU"
    assert search.study.validation.fraction > 0 or search.study.objective.split == "test"


@every_scale
def test_grid_has_its_cells_and_no_other_study_is_one(path: Path, scale: str | None) -> None:
    search = space(path, scale)
    cells = len(search.cells) if search.study.sampler == "grid" else None
    assert cells == CELLS.get((path.stem, scale))


@every_scale
def test_published_figure_stands_beside_a_trial_that_is_run(path: Path, scale: str | None) -> None:
    search = space(path, scale)
    study = search.study
    run = [plan for _, plan in search.cells] if study.sampler == "grid" else _enqueued(search)
    for figure in study.published:
        assert search.plan_of(figure.params, "published") in run, figure.name
        assert all(0 < value < 1 for value in figure.metrics.values())


def _enqueued(search: SearchSpace) -> list[object]:
    return [search.plan_of(params, "enqueue") for params in search.study.enqueue]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_study_runs_to_its_end(
    path: Path, answers: object, open_bench: Callable[..., TrainingContext], workspace: Path
) -> None:
    study = read_study(path, {"replicate": None}, None if path.stem in WITHOUT_SCALE else "small")
    made = Driver(study, open_bench(study.validation, train_splits=lists_of(study)), open_storage(workspace, None))
    status = made.run()
    total = CELLS.get((path.stem, "small"), study.trials)
    assert (status.asked, status.done, status.failed, status.running) == (total, total, 0, 0)
    trials = finished_trials(made.bench.tracking, study.name)
    assert len(trials) == status.finished > 0
    assert best_trial(trials, study.name).tags["asc.trial"] == str(status.best_trial)
    compared = compare_study(made.bench.tracking, study.name)
    assert len(compared.rows) == status.finished - compared.pooled, "trials of one cell are one row"
    params = [trial.params for trial in made.study.get_trials() if trial.state == TrialState.COMPLETE]
    if study.sampler == "grid":
        cells = [params for params, _ in made.space.cells]
        assert sorted(map(repr, params)) == sorted(map(repr, cells)), "every cell ran exactly once"
    for given, run in zip(study.enqueue, params, strict=False):
        assert given.items() <= run.items(), "the file's own trials come first"
