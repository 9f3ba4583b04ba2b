"""``asc ui``: MLflow's pages and optuna-dashboard on the loopback."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Annotated

import typer

from asc_experiments.cli.options import Settings, with_settings


def add_to(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command(epilog="Example: asc ui --port 5000 --optuna-port 8080")(ui)


@with_settings
def ui(
    settings: Settings,
    port: Annotated[int, typer.Option(help="Port of MLflow on the loopback.", min=1, max=65_535)] = 5000,
    optuna_port: Annotated[int, typer.Option(help="Port of optuna-dashboard.", min=1, max=65_535)] = 8080,
) -> None:
    """Open MLflow and optuna-dashboard on this workspace, on the loopback only."""
    from asc_experiments.study.dashboard import dashboard
    from asc_experiments.study.storage import open_storage
    from asc_experiments.tracking.server import serving
    from asc_experiments.tracking.view import pages

    tracking = settings.tracking()
    storage = open_storage(settings.workspace, settings.storage)
    with serving(tracking, port) as (mlflow, server), dashboard(storage, optuna_port) as optuna:
        links = {"MLflow": mlflow, "optuna-dashboard": optuna}
        links |= {name: f"{mlflow}/{page}" for name, page in pages(tracking).items()}
        width = max(map(len, links))
        for name, link in links.items():
            typer.echo(f"{name:<{width}}  {link}")
        typer.echo("Ctrl-C stops both")
        with suppress(KeyboardInterrupt):  # that is how it ends
            if server is None:
                threading.Event().wait()
            elif server.wait():
                raise typer.Exit(1)
