"""``asc demo``: the whole path on a synthetic corpus, command by command, wherever the program is installed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Settings, with_settings

_STUDY = "quickstart"


def add_to(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command(epilog="Example: asc demo demo_corpus")(demo)


@with_settings
def demo(
    settings: Settings,
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The corpus folder, made where it does not exist.")
    ] = Path("demo_corpus"),
) -> None:
    """Synthesise a corpus, run a study of four trials, register the best student, say what came out: a few minutes.

    These are the commands that one gives for a corpus of one's own, and each is
    printed before it runs. Interrupted, the same command resumes.
    """
    from asc_experiments.base.errors import harmless
    from asc_experiments.report.writing import find, show_answer

    where = _where(settings)
    if not (folder / "meta.csv").is_file():
        _run(context, ["corpus", "synth", str(folder)], where)
    _run(context, ["study", "run", f"studies/{_STUDY}.yaml", "--corpus", str(folder)], where)
    _run(context, ["register", _STUDY], where)
    typer.echo()
    show_answer(*find(settings.tracking(), [_STUDY]))
    typer.echo("next:")
    for words in (
        ["report", _STUDY, "--format", "html"],
        ["predict", "models:/asc-student@champion", str(folder / "audio")],
        ["ui"],
    ):
        typer.echo(f"  {harmless(shlex.join([*_program(), *words, *where]))}")


def _where(settings: Settings) -> list[str]:
    """The shared options, as far as they differ from what every command assumes."""
    words = [] if settings.workspace == Path(".") else ["--workspace", str(settings.workspace)]
    given = {"--tracking-uri": settings.tracking_uri, "--storage": settings.storage, "--dirs": settings.dirs}
    return words + [word for option, value in given.items() if value for word in (option, str(value))]


def _run(context: typer.Context, words: list[str], where: list[str]) -> None:
    """Print one of the program's own commands, and run it as if it had been typed.

    Raises:
        Exit: with the command's code, if it fails.
    """
    from asc_experiments.base.errors import harmless

    typer.echo(f"$ {harmless(shlex.join(['asc', *words, *where]))}")
    code = context.find_root().command.main([*words, *where], standalone_mode=False)
    if code:
        raise typer.Exit(code)


def _program() -> list[str]:
    """How this program was called: ``asc`` where a shell finds it under that name."""
    called, found = Path(sys.argv[0]), shutil.which("asc")
    if called.name == "__main__.py":
        return [sys.executable, "-m", "asc_experiments"]
    found_it = found is not None and called.exists() and Path(found).samefile(called)
    return ["asc" if called.name != "asc" or found_it else str(called)]
