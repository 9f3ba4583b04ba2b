"""The options that every command has, and how commands print."""

from __future__ import annotations

import functools
import gc
import inspect
import json
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperOption

from asc_experiments.distill.environment import VARIABLES, Environment

_SHARED = "Everywhere"


@dataclass(frozen=True)
class Settings(Environment):
    """Where things are, and the command that was told so.

    What a command does not use, it has no option for, and stands here as by default.
    """

    context: typer.Context | None = None

    def next(self, *words: object) -> str:
        """Another of the program's commands as it is typed now: with those of these options that were typed and it has.

        Args:
            words: the command and what it is given, without the program.
        """
        from asc_experiments.base.errors import harmless

        return harmless(shlex.join([*program(), *map(str, words), *self.typed(*words)]))

    def typed(self, *words: object) -> list[str]:
        """Those of these options that were typed, as another command takes them that has them."""
        if self.context is None:
            return []
        command: Any = self.context.find_root().command
        for word in words:
            command = getattr(command, "commands", {}).get(str(word), command)
        taken = {parameter.name for parameter in command.params}
        return [
            word
            for name in _OPTIONS
            if name in taken and (source := self.context.get_parameter_source(name)) and source.name == "COMMANDLINE"
            for value in _values(getattr(self, name))
            for word in (f"--{name.replace('_', '-')}", value)
        ]


def _values(given: object) -> list[str]:
    """An option's value, or those of one that was repeated."""
    return [str(each) for each in given] if isinstance(given, tuple) else [str(given)]


def program() -> list[str]:
    """How this program was called: ``asc`` where a shell finds it under that name."""
    called, found = Path(sys.argv[0]), shutil.which("asc")
    if called.name == "__main__.py":
        return [sys.executable, "-m", "asc_experiments"]
    found_it = found is not None and called.exists() and Path(found).samefile(called)
    return ["asc" if called.name != "asc" or found_it else str(called)]


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "workspace": (
        Annotated[
            Path,
            typer.Option(
                help="Folder that holds mlruns/ and studies/.", envvar=VARIABLES["workspace"], rich_help_panel=_SHARED
            ),
        ],
        Path("."),
    ),
    "tracking_uri": (
        Annotated[
            str | None,
            typer.Option(
                help="MLflow server or database (default: the workspace's SQLite file).",
                envvar=VARIABLES["tracking_uri"],
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
                envvar=VARIABLES["storage"],
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
                envvar=VARIABLES["dirs"],
                rich_help_panel=_SHARED,
            ),
        ],
        None,
    ),
    "log_to": (
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="LOGGER",
                help="Log to TensorBoard or W&B too: tensorboard, wandb, or one of a package; may be repeated.",
                envvar=VARIABLES["log_to"],
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


class NamingArchitectures(TyperCommand):
    """A command whose help names the architectures that are installed; to run it, they need not be looked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As Typer does, with those there are."""
        from asc_experiments.models import ARCHITECTURES

        sizes = {
            name: f" (size: {', '.join(each.named_sizes)})" for name, each in ARCHITECTURES.items() if each.named_sizes
        }
        for parameter in self.params:
            if parameter.name == "arch":
                named = ", ".join(f"{name}{sizes.get(name, '')}" for name in ARCHITECTURES)
                cast(TyperOption, parameter).help = f"Architecture: {named}."
        super().format_help(ctx, formatter)


ARCH = "Architecture: cp_mobile, cp_mobile_2024, cp_resnet, passt, or one of an installed package."
OfDevice = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Of a file of a network per recording device: whose (default: the general one).",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of weights, order and augmentation.", min=0)]


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command those of the shared options that it uses; its first argument is a :class:`Settings`.

    Args:
        names: of the options: ``workspace``, ``tracking_uri``, ``storage``, ``dirs``, ``log_to``.
    """

    def give(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = list(signature.parameters.values())[1:]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in _OPTIONS.items()
            if name in names
        ]
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            given = {name: values.pop(name) for name in (*names, "context")}
            settings = Settings(**given | ({"log_to": tuple(given["log_to"] or ())} if "log_to" in given else {}))
            if "workspace" in names:
                settings.look_for_processes()
            command(settings, **values)

        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + [*shared, context]
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return wrapper

    return give


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


def echo(text: str, err: bool = False) -> None:
    """Print one line; the paths and names in it may hold what would steer a terminal."""
    from asc_experiments.base.errors import one_line

    typer.echo(one_line(text), err=err)


def print_json(facts: Any) -> None:
    """Print facts as JSON on standard output."""
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))


def print_facts(facts: dict[str, Any], title: str) -> None:
    """Print facts as an aligned two-column table."""
    from rich.table import Table

    from asc_experiments.base.errors import one_line
    from asc_experiments.base.progress import show

    table = Table(title=one_line(title), title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(key, ", ".join(map(_shown, value)) if isinstance(value, list | tuple) else _shown(value))
    show(table)


def _shown(fact: object) -> str:
    """A fact for people: --json has all digits."""
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return f"{fact:.6g}" if isinstance(fact, float) else str(fact)
