"""Registered versions that move to where the name is taken: other numbers, the same networks, no alias stolen."""

import pytest

from asc_experiments.base.hashing import digest_bytes
from asc_experiments.migration.ids import Ids
from asc_experiments.migration.records import RegisteredEntry, VersionEntry
from asc_experiments.migration.registered_models import Written, write_registered
from asc_experiments.tracking import Tracking

OLD = {number: f"m-{number:032x}" for number in (1, 3)}
CARD = "# asc-student, version {0}\n\nasc predict models:/asc-student/{0} FOLDER"


@pytest.fixture
def models(tracking: Tracking) -> dict[str, str]:
    """The networks of versions 1 and 3, as they were imported before."""
    experiment = tracking.experiment("tiny")
    return {old: tracking.client.create_logged_model(experiment, name="network").model_id for old in OLD.values()}


def entry() -> RegisteredEntry:
    versions = []
    for number, model in OLD.items():
        text = CARD.format(number)
        tags = {"asc.card": digest_bytes(text.encode()), "asc.model_id": model}
        versions.append(VersionEntry(version=number, model=model, run=None, description=text, tags=tags))
    aliases = {"champion": 3, "tried": 1}
    return RegisteredEntry(name="asc-student", description="d", tags={}, versions=versions, aliases=aliases)


def write(tracking: Tracking, models: dict[str, str]) -> Written:
    def mapped(version: VersionEntry, number: int) -> VersionEntry:
        ids = Ids({}, models, {("asc-student", version.version): number})
        changed = {"description": ids.text(version.description), "tags": ids.texts(version.tags)}
        return version.model_copy(update=changed)

    return write_registered(tracking, entry(), models, mapped)


def described(tracking: Tracking) -> dict[int, tuple[str, str]]:
    found = tracking.client.search_model_versions("name = 'asc-student'")
    return {int(each.version): (each.description or "", each.tags.get("asc.card", "")) for each in found}


def expected(number: int) -> tuple[str, str]:
    text = CARD.format(number)
    return text, digest_bytes(text.encode())


def test_numbers_in_cards_follow_the_numbers_here_and_again_adds_nothing(
    tracking: Tracking, models: dict[str, str]
) -> None:
    done = write(tracking, models)
    assert (done.added, done.numbers, done.kept) == (2, {1: 1, 3: 2}, {})
    assert described(tracking) == {1: expected(1), 2: expected(2)}
    aliases = tracking.client.get_registered_model("asc-student").aliases
    assert {alias: int(number) for alias, number in aliases.items()} == {"champion": 2, "tried": 1}
    assert write(tracking, models).added == 0
    assert described(tracking) == {1: expected(1), 2: expected(2)}


def test_an_alias_that_leads_elsewhere_here_stays_and_is_told(tracking: Tracking, models: dict[str, str]) -> None:
    own = tracking.client.create_logged_model(tracking.experiment("own"), name="network").model_id
    with tracking.current():
        tracking.client.create_registered_model("asc-student")
        tracking.client.create_model_version("asc-student", f"models:/{own}", await_creation_for=0)
    tracking.client.set_registered_model_alias("asc-student", "champion", "1")
    done = write(tracking, models)
    assert (done.numbers, done.kept) == ({1: 2, 3: 3}, {"champion": 1})
    assert described(tracking) == {1: ("", ""), 2: expected(2), 3: expected(3)}


def test_a_card_that_a_kill_left_with_the_old_number_is_corrected_and_a_persons_own_is_not(
    tracking: Tracking, models: dict[str, str]
) -> None:
    write(tracking, models)
    tracking.client.update_model_version("asc-student", "1", "my own words")
    tracking.client.update_model_version("asc-student", "2", CARD.format(3))
    write(tracking, models)
    assert described(tracking)[1][0] == "my own words"
    assert described(tracking)[2] == expected(2)
