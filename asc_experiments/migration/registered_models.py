"""Writing registered versions that were moved: a network is one version, and aliases that lead elsewhere stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from asc_experiments.base.hashing import digest_bytes
from asc_experiments.migration.records import IMPORTED_FROM, RegisteredEntry, VersionEntry
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.paging import PER_PAGE, every
from asc_experiments.tracking.trials import MODEL_ID

_CARD = "asc.card"
"""The digest of a card as the program wrote it; see :mod:`asc_experiments.tracking.registry.registration`."""


@dataclass(frozen=True)
class Written:
    """What became of one name of the registry.

    Attributes:
        added: how many versions were made.
        numbers: the number of each version here, by its number in the archive.
        kept: aliases that lead to another version here, and went on doing so.
    """

    added: int
    numbers: dict[int, int]
    kept: dict[str, int]


def write_registered(
    tracking: Tracking,
    entry: RegisteredEntry,
    models: dict[str, str],
    map_version: Callable[[VersionEntry, int], VersionEntry],
) -> Written:
    """Write one name of the registry.

    Args:
        tracking: the server.
        entry: the name, its versions and aliases.
        models: the logged models here, by their ids in the archive; versions of others are left out.
        map_version: a version with the ids of this server in it, given the number that it has here.
    """
    client, added = tracking.client, 0
    _name(client, entry)
    known = _known(client, entry.name)
    numbers: dict[int, int] = {}
    for version in entry.versions:
        model_id = models.get(version.model)
        if model_id is None:
            continue
        if model_id not in known:
            known[model_id] = _add(tracking, entry.name, model_id, map_version(version, version.version))
            added += 1
        numbers[version.version] = int(known[model_id].version)
        _settle_text(client, entry.name, known[model_id], version, map_version)
    aliases = {alias: int(number) for alias, number in client.get_registered_model(entry.name).aliases.items()}
    kept = {}
    for alias, old in entry.aliases.items():
        if old in numbers and alias not in aliases:
            client.set_registered_model_alias(entry.name, alias, str(numbers[old]))
        elif old in numbers and aliases[alias] != numbers[old]:
            kept[alias] = aliases[alias]
    return Written(added, numbers, kept)


def _name(client: Any, entry: RegisteredEntry) -> None:
    try:
        client.create_registered_model(entry.name, entry.tags, entry.description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _known(client: Any, name: str) -> dict[str, Any]:
    """The versions of a name, by the logged model that each is of; the first one of equals."""
    found: dict[str, Any] = {}
    for version in every(lambda token: client.search_model_versions(max_results=PER_PAGE, page_token=token)):
        model_id = version.tags.get(MODEL_ID) or str(version.source).removeprefix("models:/")
        if version.name == name and int(version.version) < int(getattr(found.get(model_id), "version", 1 << 62)):
            found[model_id] = version
    return found


def _add(tracking: Tracking, name: str, model_id: str, version: VersionEntry) -> Any:
    with tracking.current():
        return tracking.client.create_model_version(
            name,
            f"models:/{model_id}",
            version.run,
            version.tags | {IMPORTED_FROM: str(version.version)},
            description=version.description,
            await_creation_for=0,
            model_id=model_id,
        )


def _settle_text(
    client: Any, name: str, here: Any, version: VersionEntry, map_version: Callable[[VersionEntry, int], VersionEntry]
) -> None:
    """Correct a version's card where it has another number here than it was made with."""
    number = int(here.version)
    as_made, wanted = map_version(version, version.version).description, map_version(version, number).description
    if IMPORTED_FROM in here.tags and here.description == as_made != wanted:
        client.update_model_version(name, str(number), wanted)
    if _CARD in version.tags and version.tags[_CARD] == digest_bytes(version.description.encode()):
        digest = digest_bytes(wanted.encode())
        if IMPORTED_FROM in here.tags and here.tags.get(_CARD) != digest and here.description in (as_made, wanted):
            client.set_model_version_tag(name, str(number), _CARD, digest)
