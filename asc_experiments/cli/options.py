"""The options that every command has, and how commands print."""

from __future__ import annotations

import functools
import gc
import inspect
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asc_experiments.base.liveness import lock_folder, look_for_liveness_in

if TYPE_CHECKING:
    from asc_experiments.corpus import ValidationSplit
    from asc_experiments.distill import TrainingContext
    from asc_experiments.tracking import Tracking

_SHARED = "Everywhere"


@dataclass(frozen=True)
class Settings:
    """Where things are: the workspace and what is kept elsewhere."""

    workspace: Path
    tracking_uri: str | None
    storage: str | None
    dirs: Path | None

    @property
    def cache(self) -> Path:
        """The folder of decoded waveforms and locks."""
        return Path(os.environ.get("ASC_CACHE") or self.workspace / ".asc")

    def tracking(self) -> Tracking:
        """Connect to the tracking server."""
        from asc_experiments.tracking import Tracking

        return Tracking.open(self.workspace, self.tracking_uri)

    def workbench(
        self,
        corpus: Path,
        split: ValidationSplit,
        tracking: Tracking | None = None,
        train_splits: Sequence[str | Path] = (),
    ) -> TrainingContext:
        """Open a corpus for training; the corpus is checked before the tracking server is touched."""
        from asc_experiments.corpus import Corpus
        from asc_experiments.corpus.train_split import read_train_split
        from asc_experiments.distill import TrainingContext

        opened = Corpus.open(corpus)
        for path in train_splits:
            read_train_split(path, opened)
        return TrainingContext.open(corpus, tracking or self.tracking(), self.cache, split, self.dirs, train_splits)

    def workbench_on(
        self, train_split: Path | None, corpus: Path, split: ValidationSplit, tracking: Tracking | None = None
    ) -> TrainingContext:
        """Open a corpus for training on a list of its clips alone, where one is given."""
        if train_split is None:
            return self.workbench(corpus, split, tracking)
        return self.workbench(corpus, split, tracking, [train_split]).on(train_split.stem)


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "workspace": (
        Annotated[
            Path,
            typer.Option(
                help="Folder that holds mlruns/ and studies/.", envvar="ASC_WORKSPACE", rich_help_panel=_SHARED
            ),
        ],
        Path("."),
    ),
    "tracking_uri": (
        Annotated[
            str | None,
            typer.Option(
                help="MLflow server or database (default: the workspace's SQLite file).",
                envvar="MLFLOW_TRACKING_URI",
                rich_help_panel=_SHARED,
            ),
        ],
        None,
    ),
    "storage": (
        Annotated[
            str | None,
            typer.Option(
                help="Optuna journal file or database URL (default: studies/optuna.journal in the workspace).",
                envvar="ASC_STORAGE",
                rich_help_panel=_SHARED,
            ),
        ],
        None,
    ),
    "dirs": (
        Annotated[
            Path | None,
            typer.Option(
                help="Folder of device impulse responses for DIR (default: dirs/ in the corpus).",
                envvar="ASC_DIRS",
                rich_help_panel=_SHARED,
            ),
        ],
        None,
    ),
}

Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated.")
]
CorpusFolder = Annotated[Path, typer.Option("--corpus", metavar="DIR", help="The corpus folder.", show_default=False)]
Validation = Annotated[
    float,
    typer.Option(
        "--validation",
        help="Part of the training fold to hold out by location. Studies hold some out; 0 trains on the whole fold.",
        min=0.0,
        max=0.5,
    ),
]
TrainSplitFile = Annotated[
    Path | None,
    typer.Option(
        "--train-split",
        metavar="FILE",
        help="Train only on the clips of a list, as DCASE 2024 has them: from here, or in evaluation_setup/.",
    ),
]
Augment = Annotated[
    str, typer.Option(help="Device generalisation: none, dir, fms, dirfms; also dir+LABEL of packages.")
]
Epochs = Annotated[
    int | None, typer.Option(help="Epochs; the schedule is stretched with them (default: as published).")
]
Seed = Annotated[int, typer.Option(help="Seed of weights, order and augmentation.", min=0)]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options; it receives them as its first argument, a :class:`Settings`."""
    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        settings = Settings(**{name: values.pop(name) for name in _OPTIONS})
        look_for_liveness_in(lock_folder(settings.cache))
        command(settings, **values)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + shared
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapper


def ends_soon(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command that reads, says something and ends collect no garbage: that takes a third of its time.

    What it makes are modules and records that are needed to its end; what is in no cycle is freed as always.
    """

    @functools.wraps(command)
    def wrapper(*args: Any, **values: Any) -> None:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            command(*args, **values)
        finally:
            if was_enabled:
                gc.enable()

    return wrapper


def print_json(facts: Any) -> None:
    """Print facts as JSON on standard output."""
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))


def print_facts(facts: dict[str, Any], title: str) -> None:
    """Print facts as an aligned two-column table."""
    from rich.table import Table

    from asc_experiments.base.progress import show

    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        table.add_row(key, shown)
    show(table)
