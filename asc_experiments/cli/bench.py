"""``asc bench``: measure this program on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from asc_experiments.cli.options import Json, print_facts, print_json

app = typer.Typer(help="Measure this program on this machine.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command(epilog="Example: asc bench driver --trials 200")
def driver(
    trials: Annotated[int, typer.Option(help="Trials of the study.", min=5)] = 200,
    as_json: Json = False,
) -> None:
    """What a study costs besides its trainings: a real study in which they are answered at once."""
    from asc_experiments.study.benchmark import benchmark_driver

    measured = benchmark_driver(trials)
    if as_json:
        print_json(measured)
    else:
        print_facts({name: f"{value:,.1f}" for name, value in measured.items()}, "driver")
