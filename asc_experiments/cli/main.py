"""The program ``asc``."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from asc_experiments import __version__
from asc_experiments.base.errors import AscError
from asc_experiments.base.stopping import Terminated, end_on_sigterm
from asc_experiments.cli import (
    bench,
    corpus,
    demo,
    export,
    model,
    report,
    student,
    study,
    submission,
    teacher,
    teacher_files,
    ui,
    workspace,
)

# Read by OpenMP when torch is loaded. Threads that spin while they wait make two trainings on one machine a third as
# fast as one; sleeping ones cost a lone training about 2 %.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_FIRST = ("demo", "corpus", "study", "report", "register", "predict", "ui")
"""Commands in the order in which a person comes to need them; the others follow."""


class _InOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, those first that one begins with."""
        places = {name: place for place, name in enumerate(_FIRST)}
        return sorted(super().list_commands(ctx), key=lambda name: places.get(name, len(places)))


app = typer.Typer(
    name="asc",
    cls=_InOrder,
    help="Find out which teachers make the best tiny acoustic-scene student, and ship that student.",
    epilog="Example: asc corpus synth demo && asc study run studies/quickstart.yaml --corpus demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(corpus.app, name="corpus")
teacher_files.add_to(teacher.app)
app.add_typer(teacher.app, name="teacher")
app.add_typer(student.app, name="student")
app.add_typer(study.app, name="study")
app.add_typer(bench.app, name="bench")
app.add_typer(workspace.app, name="workspace")
report.add_to(app)
export.add_to(app)
model.add_to(app)
submission.add_to(app)
ui.add_to(app)
demo.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asc_experiments {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    pass


def main() -> None:
    """Run the command line; an error that the user can correct is one line, and exit code 2."""
    end_on_sigterm()
    try:
        app()
    except AscError as error:
        for each in error.each():
            typer.echo(f"error: {each.line()}", err=True)
        sys.exit(2)
    except Terminated:
        typer.echo("Aborted.", err=True)  # as Typer says after Ctrl-C
        raise
    except BrokenPipeError:
        sys.exit(141)
