"""``asc demo``: the whole path on a synthetic corpus, command by command, wherever the program is installed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Settings, with_settings

_STUDY = "quickstart"
_CORPUS = ("--clips-per-scene", "80", "--label-noise", "0.3")
"""As ``studies/quickstart.yaml`` says it."""


def add_to(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command(epilog="Example: asc demo demo_corpus")(demo)


@with_settings("workspace", "tracking_uri", "storage", "dirs", "log_to")
def demo(
    settings: Settings,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The corpus folder, made where it does not exist.")
    ] = Path("demo_corpus"),
) -> None:
    """Show what teachers are for, on a synthetic corpus, in four minutes of two idle cores.

    Three training labels in ten are wrong. A student learns from them alone, the
    same one from three teachers; the better one is registered, and what came out
    is said. These are the commands that one gives for a corpus of one's own, and
    each is printed before it runs. Interrupted, the same command resumes.
    """
    from asc_experiments.report.writing import find, show_answer

    if not (folder / "meta.csv").is_file():
        _run(settings, "corpus", "synth", str(folder), *_CORPUS)
    _run(settings, "study", "run", f"studies/{_STUDY}.yaml", "--corpus", str(folder), "--workers", "2")
    _run(settings, "register", _STUDY)
    typer.echo()
    show_answer(*find(settings.tracking(), [_STUDY]))
    typer.echo("next:")
    typer.echo(f"  {settings.next('report', _STUDY, '--format', 'html')}")
    typer.echo(f"  {settings.next('predict', 'models:/asc-student@champion', folder / 'audio')}")
    typer.echo(f"  {settings.next('ui')}")


def _run(settings: Settings, *words: str) -> None:
    """Print one of the program's own commands, and run it as if it had been typed.

    Raises:
        Exit: with the command's code, if it fails.
    """
    from asc_experiments.base.errors import harmless

    assert settings.context is not None
    typed = [*words, *settings.typed(*words)]
    typer.echo(f"$ {harmless(shlex.join(['asc', *typed]))}")
    code = settings.context.find_root().command.main(typed, standalone_mode=False)
    if code:
        raise typer.Exit(code)
