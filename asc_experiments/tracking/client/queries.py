"""MLflow's filter language, which nothing else in the program writes.

A filter is a text such as ``attributes.status = 'FINISHED' AND tags.`asc.kind` = 'trial'``. Names are written in
backticks, and values in either kind of quotation mark.
"""

from __future__ import annotations

from collections.abc import Mapping

ANY = "%"
"""A value of :func:`where` that stands for whatever a tag says, as long as the run has it."""


def where(
    tags: Mapping[str, str | None] | None = None,
    *,
    status: str = "",
    begins: Mapping[str, str] | None = None,
    run_id: str = "",
    name: str = "",
    ended_after: int | None = None,
) -> str:
    """A filter that finds what meets all of these.

    Args:
        tags: what tags say; None where a run must lack the tag, :data:`ANY` where it must have it.
        status: a run's, such as ``FINISHED``; with ``!`` before it any other one.
        begins: what tags begin with.
        run_id: of one run.
        name: of a registered model.
        ended_after: milliseconds since 1970.

    Raises:
        ValueError: if a value holds both kinds of quotation marks.

    Examples:
        >>> where({"asc.kind": "trial", "asc.study_id": None}, status="FINISHED")
        "attributes.status = 'FINISHED' AND tags.`asc.kind` = 'trial' AND tags.`asc.study_id` IS NULL"
        >>> where({"asc.teachers": ANY}, status="!RUNNING")
        "attributes.status != 'RUNNING' AND tags.`asc.teachers` LIKE '%'"
    """
    found = [f"name = {_quoted(name)}"] if name else []
    if status:
        found.append(f"attributes.status {'!=' if status[0] == '!' else '='} {_quoted(status.lstrip('!'))}")
    found += [f"attributes.run_id = {_quoted(run_id)}"] if run_id else []
    found += [_of_tag(tag, value) for tag, value in (tags or {}).items()]
    found += [f"tags.`{tag}` LIKE {_quoted(f'{start}%')}" for tag, start in (begins or {}).items()]
    found += [] if ended_after is None else [f"attributes.end_time > {ended_after}"]
    return " AND ".join(found)


def highest(metric: str) -> str:
    """An order of runs: those with the highest value of a metric first."""
    return f"metrics.`{metric}` DESC"


def lowest(metric: str) -> str:
    """An order of runs: those with the lowest value of a metric first."""
    return f"metrics.`{metric}` ASC"


def _of_tag(tag: str, value: str | None) -> str:
    if value is None:
        return f"tags.`{tag}` IS NULL"
    return f"tags.`{tag}` {'LIKE' if value == ANY else '='} {_quoted(value)}"


def _quoted(value: str) -> str:
    mark = '"' if "'" in value else "'"
    if mark in value:
        raise ValueError(f"{value!r} has both kinds of quotation marks")
    return f"{mark}{value}{mark}"
