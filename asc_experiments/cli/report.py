"""``asc report``: what studies found, as tables on the terminal, a page, Markdown, CSV or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asc_experiments.cli.options import Json, Settings, echo, ends_soon, with_settings
from asc_experiments.report.render.formats import Format, default_file, format_of

Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME…", help="The study's name; several stand side by side.", show_default=False),
]


def add_to(root: typer.Typer) -> None:
    """Add ``asc report`` to the program."""
    root.command(epilog="Example: asc report quickstart --format html -o quickstart.html")(report)


@with_settings("workspace", "tracking_uri")
@ends_soon
def report(
    settings: Settings,
    names: Names,
    format: Annotated[
        Format | None, typer.Option(help="How to write it (default: as the file's ending says, else a table).")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write, replaced if it exists (default: standard output)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which teachers made the best student, on which devices, at what cost.

    html is one page with charts that needs no network and no other file; without
    -o it goes into the current folder, as NAME.html, or report.html of several.
    md and csv hold the same tables: csv a row per student and teacher with every
    metric; json holds everything that the page is made from.
    """
    from asc_experiments.base.files import whole_file
    from asc_experiments.report.writing import find, render, show_tables

    wanted = Format.json if as_json else format or format_of(output)
    if wanted is Format.html and output is None:
        output = default_file(names)
    if output is not None:
        with whole_file(output) as write:
            write(render(find(settings.tracking(), names), wanted).encode())
        echo(str(output))
        return
    findings = find(settings.tracking(), names)
    if wanted is Format.table:
        show_tables(findings)
    else:
        typer.echo(render(findings, wanted), nl=False)
