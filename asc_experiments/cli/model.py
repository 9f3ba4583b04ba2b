"""``asc register``, ``asc predict`` and ``asc ui``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Json, Settings, print_facts, print_json, with_settings
from asc_experiments.cli.study import Name


def add_to(root: typer.Typer) -> None:
    """Add these commands to the program."""
    root.command(epilog="Example: asc register quickstart --model asc-student --alias champion")(register)
    root.command(epilog="Example: asc predict models:/asc-student@champion recordings/")(predict)
    root.command(epilog="Example: asc ui --port 5000")(ui)


@with_settings
def register(
    settings: Settings,
    name: Name,
    model: Annotated[str, typer.Option(help="Name in the Model Registry.")] = "asc-student",
    alias: Annotated[str, typer.Option(help="Alias that moves to this version.")] = "champion",
    as_json: Json = False,
) -> None:
    """Register the best trial's student."""
    from asc_experiments.tracking.registry import register_best

    registered = register_best(settings.tracking(), name, model, alias)
    facts = {
        "model": registered.model,
        "version": registered.version,
        "alias": registered.alias,
        "trial": registered.trial,
        "new": registered.is_new,
        "uri": registered.uri,
    }
    if as_json:
        print_json(facts | {"tags": dict(registered.tags)})
        return
    print_facts(facts, f"best student of {name}")
    typer.echo(f"next: asc predict {registered.uri} FOLDER")


@with_settings
def predict(
    settings: Settings,
    model_uri: Annotated[str, typer.Argument(metavar="MODEL_URI", show_default=False)],
    paths: Annotated[list[Path], typer.Argument(metavar="WAV_OR_DIR…", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Print scene and probability of sound files of any length and sampling rate."""
    from asc_experiments.base.progress import progress
    from asc_experiments.tracking.networks import fetch_network
    from asc_experiments.training.inference import classify_files, find_sound_files

    files = find_sound_files(paths)
    network = fetch_network(settings.tracking(), model_uri)
    width = max(len(scene) for scene in network.scenes)
    broken = 0
    with progress(len(files), "predicting", "files") as advance:
        for found in classify_files(network, files):
            advance()
            if found.error:
                broken += 1
                typer.echo(f"error: {found.path}: {found.error}", err=True)
            elif as_json:
                facts = {"file": str(found.path), "scene": found.scene, "probability": round(found.probability, 6)}
                distribution = {scene: round(p, 6) for scene, p in (found.distribution or {}).items()}
                typer.echo(json.dumps(facts | {"distribution": distribution}))
            else:
                typer.echo(f"{found.scene:<{width}}  {found.probability:5.3f}  {found.path}")
    if broken:
        typer.echo(f"{broken} of {len(files)} files could not be read", err=True)
        raise typer.Exit(2)


@with_settings
def ui(
    settings: Settings,
    port: Annotated[int, typer.Option(help="Port on the loopback.", min=1, max=65_535)] = 5000,
) -> None:
    """Open MLflow's web pages on this workspace, on the loopback only."""
    from asc_experiments.tracking.server import serve_ui

    sys.exit(serve_ui(settings.tracking(), port, typer.echo))
