"""``asc ui``: MLflow's pages and optuna-dashboard, on the loopback unless somebody asks for more."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Annotated

import typer

from asc_experiments.cli.options import Settings, echo, with_settings

_ONCE_PER_BROWSER = (
    "In MLflow press 'Model training', top left, and close the assistant: the browser\n"
    "remembers both. In the other mode, GenAI, an experiment shows no table of trials."
)
"""For MLflow's servers that are not of our starting: neither has a setting there, both are kept in the browser."""


def add_to(root: typer.Typer) -> None:
    """Add the command to the program."""
    root.command(epilog="Example: asc ui --port 5000 --optuna-port 8080")(ui)


@with_settings("workspace", "tracking_uri", "storage")
def ui(
    settings: Settings,
    port: Annotated[int, typer.Option(help="Port of MLflow.", min=1, max=65_535)] = 5000,
    optuna_port: Annotated[int, typer.Option(help="Port of optuna-dashboard.", min=1, max=65_535)] = 8080,
    host: Annotated[
        str,
        typer.Option(help="Address that MLflow listens on; any but the loopback lets others in, without a password."),
    ] = "127.0.0.1",
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-host", metavar="NAME", help="Name or address by which browsers may call it; may be repeated."
        ),
    ] = None,
) -> None:
    """Open MLflow and optuna-dashboard on this workspace.

    Both listen on the loopback. With --host MLflow can be reached from elsewhere;
    optuna-dashboard, which does not ask who is calling, stays on the loopback.
    """
    from asc_experiments.base.progress import say
    from asc_experiments.study.monitor.dashboard import dashboard
    from asc_experiments.study.storage.open_storage import open_storage
    from asc_experiments.tracking.client.links import first_page
    from asc_experiments.tracking.ui.server import HOST, is_loopback, opens_at_tables, serving
    from asc_experiments.tracking.ui.table_view import pages

    if host != HOST:
        names = names or [_name_of(host)]
    if not is_loopback(host):
        say(
            f"warning: --host {host}: whoever reaches port {port} of this machine can read, change and delete runs and "
            "models: there is no password and no encryption (see Security in the documentation)"
        )
    tracking = settings.tracking()
    storage = open_storage(settings.workspace, settings.storage)
    with serving(tracking, port, host, names or ()) as (mlflow, server), dashboard(storage, optuna_port) as optuna:
        links = {"MLflow": f"{mlflow}/{first_page()}", "optuna-dashboard": optuna}
        links |= {name: f"{mlflow}/{page}" for name, page in pages(tracking).items()}
        width = max(map(len, links))
        for name, link in links.items():
            echo(f"{name:<{width}}  {link}")
        if server is None or not opens_at_tables():
            echo(_ONCE_PER_BROWSER)
        typer.echo("Ctrl-C stops both")
        with suppress(KeyboardInterrupt):  # that is how it ends
            if server is None:
                threading.Event().wait()
            elif server.wait():
                raise typer.Exit(1)


def _name_of(host: str) -> str:
    """By what name others call a server that listens there: the machine's where it listens everywhere."""
    import socket

    return socket.gethostname() if host in ("0.0.0.0", "::") else host  # noqa: S104 - asked for, and warned of
