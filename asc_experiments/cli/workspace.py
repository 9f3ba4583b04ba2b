"""``asc workspace``: a workspace that lies elsewhere now, and studies that go from one place to another."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Json, Settings, echo, print_facts, print_json, with_settings

app = typer.Typer(
    help="Move a workspace, or studies between workspaces and servers.",
    epilog="Example: asc workspace export quickstart.tar --study quickstart",
    no_args_is_help=True,
)

_MB = 1_000_000


@app.command("relocate", epilog="Example: asc workspace relocate --workspace /new/place --dry-run")
@with_settings("workspace", "tracking_uri")
def relocate(
    settings: Settings,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be rewritten.")] = False,
    as_json: Json = False,
) -> None:
    """Make a workspace that was moved or copied work again: its database has absolute paths of the old place.

    Corpora that runs were trained on keep their paths: those are history.
    """
    from asc_experiments.base.errors import AscError
    from asc_experiments.migration.relocation import relocate as rewrite
    from asc_experiments.tracking.client.connection import default_tracking_uri

    if settings.tracking_uri not in (None, default_tracking_uri(settings.workspace)):
        what = "is not the workspace's own database, the only one that knows where the workspace is"
        raise AscError("--tracking-uri", what, "omit it (and MLFLOW_TRACKING_URI unset)")
    done = rewrite(settings.workspace, dry_run)
    if as_json:
        print_json({"before": done.before, "after": done.after, "rewritten": not dry_run, "paths": done.counts})
        return
    if not done.total:
        echo(f"nothing to do: every path leads into {done.after}")
        return
    counts = ", ".join(f"{number} in {table}" for table, number in done.counts.items())
    echo(f"{done.total} paths {'would be ' if dry_run else ''}rewritten ({counts})")
    echo(f"from {', '.join(done.before)} to {done.after}")


@app.command("export", epilog="Example: asc workspace export quickstart.tar --study quickstart")
@with_settings("workspace", "tracking_uri", "storage")
def export(
    settings: Settings,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="….tar, or ….tar.gz.", show_default=False)],
    studies: Annotated[
        list[str] | None,
        typer.Option("--study", metavar="NAME", help="Only this study and its teachers; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write studies into one file: trials, runs with files, teachers, networks, registered versions.

    Without --study everything: all studies, all teachers, the single students.
    """
    from asc_experiments.migration.archive import mode_of
    from asc_experiments.migration.workspace import export_workspace
    from asc_experiments.study.storage.open_storage import open_storage

    mode_of(path)
    storage = open_storage(settings.workspace, settings.storage)
    facts = export_workspace(settings.tracking, storage, settings.cache, path, studies or ()).facts()
    if as_json:
        print_json(facts | {"file": str(path)})
        return
    print_facts(facts | {"size": f"{facts['size'] / _MB:.1f} MB"}, f"exported to {path}")
    echo(f"next, elsewhere: asc workspace import {path.name}")


@app.command("import", epilog="Example: asc workspace import quickstart.tar --tracking-uri http://127.0.0.1:5000")
@with_settings("workspace", "tracking_uri", "storage")
def import_(
    settings: Settings,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="An exported file.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Take studies out of an exported file into this workspace, or the server and storage that are given.

    What is there already is not doubled; stopped or killed, the same command finishes.
    """
    from asc_experiments.migration.workspace import import_workspace
    from asc_experiments.study.storage.open_storage import open_storage

    open_studies = partial(open_storage, settings.workspace, settings.storage)
    facts = import_workspace(settings.tracking, open_studies, settings.cache, path).facts()
    if as_json:
        print_json(facts | {"file": str(path)})
        return
    print_facts(facts, f"imported from {path}")
    echo("next: " + "; ".join(settings.next("report", name) for name in facts["studies"][:3]))
