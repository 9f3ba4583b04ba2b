"""The Model Registry: a study's best student under a name and an alias, registered once.

The alias ``champion`` moves only to what is better by more than noise, as ``promotion`` decides;
what is not gets the alias ``challenger``. Any other alias moves freely.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from filelock import FileLock
from mlflow.exceptions import MlflowException

from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_bytes
from asc_experiments.base.locks import lock_path
from asc_experiments.metrics import (
    ACCURACY,
    DG,
    GROUP,
    MACRO_ACCURACY,
    OVERALL_ACCURACY,
    OVERALL_ECE,
    further_metrics,
)
from asc_experiments.tracking.client.client import Tracking
from asc_experiments.tracking.client.paging import PER_PAGE, every
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.registry.candidate import Candidate
from asc_experiments.tracking.registry.gates import Gates, GatesFailedError, Measured, measure
from asc_experiments.tracking.registry.model_card import CUT, FILE, About, description, model_card
from asc_experiments.tracking.registry.network_store import find_version
from asc_experiments.tracking.registry.promotion import Verdict, compare
from asc_experiments.tracking.trials import MODEL_ID, OBJECTIVE, SPLIT, STUDY, TEACHERS, TRIAL

CHAMPION, CHALLENGER = "champion", "challenger"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_ALIAS = re.compile(r"(?!(?i:v\d+|latest)$)[A-Za-z0-9_-]{1,80}")
_DECISION, _GATE, _CARD = "decision", "gate/", "asc.card"
"""Tags: why a version is champion or is not; a gate it passed; its card's digest, to tell a person's changes by."""


@dataclass(frozen=True)
class Registered:
    """A registered version: where to load it from, and what it is.

    Attributes:
        model, version: what it is registered as.
        alias: that leads to it now.
        trial: its number.
        is_new: whether this call made the version.
        decision: why it has that alias, in words.
        measured: the network's properties, beside the trial's, and its gates.
        tags: of the version.
        learned: what the network reached beside guessing, in words.
        doubts: what one must know before believing its figures, a sentence each.
        winner: whether its trial is better than the others of its study by more than noise, in words.
        teaching: whether its teachers gave it anything, in words; empty where nothing was learned.
        warning: what must stand beside its figures where their clips chose it; empty where others did.
    """

    model: str
    version: int
    alias: str
    trial: int
    is_new: bool
    decision: str
    measured: tuple[Measured, ...]
    tags: Mapping[str, str]
    learned: str
    doubts: tuple[str, ...]
    winner: str
    teaching: str
    warning: str

    @property
    def uri(self) -> str:
        """The URI that follows the alias."""
        return f"models:/{self.model}@{self.alias}"


def register_best(
    tracking: Tracking,
    study: str,
    model: str = "asc-student",
    alias: str = CHAMPION,
    *,
    gates: Gates | None = None,
    replace: bool = False,
    allow_chance: bool = False,
    cache: Path | None = None,
) -> Registered:
    """Register the student of a study's best trial. The same student is never registered twice under one name.

    Args:
        tracking: the server.
        study: the study's name.
        model: the name in the registry.
        alias: moved to this version; ``champion`` only if it is better than the champion by more than noise.
        gates: what the network must keep to.
        replace: move ``champion`` in any case.
        allow_chance: register a student that has learned nothing, too; its card and tags say so.
        cache: folder of locks: one process at a time registers. Without, and on several machines, two that register
            the same student at once still leave one version.

    Raises:
        AscError: if the study has no finished trial, its student has learned nothing, or a name is not valid.
        GatesFailedError: if a gate fails; nothing is registered then.
    """
    for option, name, valid in (("--model", model, _NAME), ("--alias", alias, _ALIAS)):
        if not valid.fullmatch(name):
            raise AscError(f"{option} {name}", "is no valid name", "use letters, digits, _ and -; not 'latest' or 'v1'")
    candidate = Candidate.best_of(tracking, study)
    if not allow_chance:
        _refuse_chance(candidate)
    measured = measure(candidate, gates or Gates())
    if not all(each.passed for each in measured):
        raise GatesFailedError(f"{candidate.trial.name} of study '{study}'", measured, candidate.warning)
    if cache is None:
        return _Registration(candidate, model, tuple(measured)).carry_out(alias, replace)
    with FileLock(lock_path(cache, f"register-{model}")):
        return _Registration(candidate, model, tuple(measured)).carry_out(alias, replace)


def _refuse_chance(candidate: Candidate) -> None:
    """Refuse a network, or a trial, that has learned nothing.

    Raises:
        AscError: then.
    """
    trial = candidate.trial
    where = f"{trial.name} of study '{trial.tags[STUDY]}'"
    for found in (candidate.learned, candidate.judgement.on_test):
        if found is not None and found.nothing:
            what = found.nothing[0].lower() + found.nothing[1:].rstrip(".")
            raise AscError(where, f"{what}; nothing was registered", "train it longer, or give --allow-chance")


def stored_card(tracking: Tracking, model_uri: str) -> str:
    """The whole model card of a registered version.

    Raises:
        AscError: if there is no such version, or it has no card.
    """
    remedy = "register one with `asc register`"
    try:
        version = find_version(tracking, model_uri)
    except MlflowException as error:
        raise AscError(model_uri, f"is not registered ({str(error).splitlines()[0]})", remedy) from None
    if version is None or not version.description:
        raise AscError(model_uri, "has no model card", remedy)
    if not version.description.endswith(CUT):
        return str(version.description)
    with tracking.artifacts(str(version.run_id), FILE) as path:
        return path.read_text(encoding="utf-8")


@dataclass(frozen=True, eq=False)
class _Registration:
    """A candidate that passed, on its way into the registry."""

    candidate: Candidate
    model: str
    measured: tuple[Measured, ...]

    def carry_out(self, alias: str, replace: bool) -> Registered:
        client = self.candidate.tracking.client
        version, is_new = self._version()
        aliases = {name: int(number) for name, number in client.get_registered_model(self.model).aliases.items()}
        facts: dict[str, str] = {}
        decision = f"Alias {alias} leads to version {version} now, as asked."
        if alias == CHAMPION:
            alias, decision, facts = self._judge(version, aliases.get(CHAMPION), replace)
        for key in client.get_model_version(self.model, str(version)).tags if facts else ():
            if key.startswith(f"{_DECISION}/") and key not in facts:  # of an earlier decision
                client.delete_model_version_tag(self.model, str(version), key)
        for key, value in (self.tags | facts).items():
            client.set_model_version_tag(self.model, str(version), key, value)
        self._describe(version)
        client.set_registered_model_alias(self.model, alias, str(version))
        if alias == CHAMPION and aliases.get(CHALLENGER) == version:
            client.delete_registered_model_alias(self.model, CHALLENGER)
        trial = int(self.candidate.trial.tags[TRIAL])
        tags = client.get_model_version(self.model, str(version)).tags
        doubts = self.candidate.doubts
        winner, teaching = self.candidate.winner_in_words, self.candidate.teaching
        said = (_learned_in_words(self.candidate), doubts, winner, teaching, self.candidate.warning)
        return Registered(self.model, version, alias, trial, is_new, decision, self.measured, tags, *said)

    @cached_property
    def tags(self) -> dict[str, str]:
        """What someone wants to know of a version before loading it: the network's own figures, gates, lineage."""
        return _tags(self.candidate, self.measured)

    def _version(self) -> tuple[int, bool]:
        """This student's version, made now if there is none; whether it was."""
        candidate, client = self.candidate, self.candidate.tracking.client
        try:
            client.create_registered_model(self.model, description="Low-complexity acoustic scene classifiers")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        if known := self._same():
            return known[0], False
        source = f"models:/{candidate.model_id}"
        with candidate.tracking.current():
            made = client.create_model_version(
                self.model, source, candidate.trial.run_id, self.tags, model_id=candidate.model_id, await_creation_for=0
            )
        version, first = int(made.version), self._same()[0]
        if first < version:  # another machine was quicker
            client.delete_model_version(self.model, str(version))
        return first, first == version

    def _same(self) -> list[int]:
        """The versions of this very student, the first one first."""
        query = where({MODEL_ID: self.candidate.model_id}, name=self.model)
        search = self.candidate.tracking.client.search_model_versions
        found = every(lambda token: search(query, max_results=PER_PAGE, page_token=token))
        return sorted(int(version.version) for version in found)

    def _judge(self, version: int, champion: int | None, replace: bool) -> tuple[str, str, dict[str, str]]:
        """The alias that a version may have, why in words, and the tags that keep that; none where nothing changes."""
        if champion == version:
            return CHAMPION, f"Version {version} is champion already.", {}
        if champion is None:
            decision = f"Version {version} is the first champion."
            if unproven := self.candidate.unproven:
                decision = (
                    f"Version {version} is champion for want of another: that trial {self.candidate.trial.tags[TRIAL]} "
                    f"is better than {unproven} is not shown."
                )
            return CHAMPION, decision, {_DECISION: decision}
        verdict = self._compare(champion)
        facts = {f"{_DECISION}/against": str(champion)} | _facts_of(verdict)
        alias, what = CHAMPION, f"Version {version} replaces champion {champion}"
        if not verdict.is_better:
            what += " as asked (--replace)"
            if not replace:
                alias, what = CHALLENGER, f"Version {champion} stays champion and version {version} is challenger"
        decision = f"{what}: {verdict.why}."
        return alias, decision, facts | {_DECISION: decision}

    def _compare(self, champion: int) -> Verdict:
        tracking = self.candidate.tracking
        try:
            run_id = str(tracking.client.get_model_version(self.model, str(champion)).run_id)
            return compare(self.candidate, Candidate.of(tracking, tracking.get(run_id)))
        except (MlflowException, AscError):
            gone = f"the trial of version {champion} is gone; --replace makes this one champion"
            return Verdict(False, f"the two do not compare: {gone}")

    def _describe(self, version: int) -> None:
        """Write the card beside the trial and as the version's description, unless a person has changed that."""
        candidate, client = self.candidate, self.candidate.tracking.client
        stands = client.get_model_version(self.model, str(version))
        gates = [value for key, value in sorted(stands.tags.items()) if key.startswith(_GATE)]
        card = model_card(candidate, About(self.model, version, gates, stands.tags.get(_DECISION, "")))
        client.log_text(candidate.trial.run_id, card, FILE)
        if stands.description and digest_bytes(stands.description.encode()) != stands.tags.get(_CARD):
            return
        text = description(card)
        client.update_model_version(self.model, str(version), text)
        client.set_model_version_tag(self.model, str(version), _CARD, digest_bytes(text.encode()))


def _facts_of(verdict: Verdict) -> dict[str, str]:
    """What was compared, as tags: the metric, its difference and interval, students, places, trials to pick from."""
    found = verdict.margin
    if found is None:
        return {}
    facts = {
        "metric": f"{found.metric}, test fold",
        "difference": f"{found.value:.4f}",
        "students": f"{found.students[0]} against {found.students[1]}",
        "places": str(found.places),
        "picked_from": str(verdict.picked_from),
    }
    if found.is_known:
        facts |= {"low": f"{found.low:.4f}", "high": f"{found.high:.4f}"}
    return {f"{_DECISION}/{name}": value for name, value in facts.items()}


def _tags(candidate: Candidate, measured: tuple[Measured, ...]) -> dict[str, str]:
    """What someone wants to know of a version before loading it: the network's own figures, gates, lineage.

    A page of versions shows them in one cell, in this order: what a person reads comes first, keys and digests last.
    Accuracies per device stand in the card.
    """
    trial, own = candidate.trial, candidate.own
    chosen: tuple[str, ...] = (OVERALL_ACCURACY, MACRO_ACCURACY, ACCURACY.of(GROUP).start, OVERALL_ECE, DG)
    chosen += tuple(str(metric.key) for metric in further_metrics(own.metrics))
    tags = {"study": trial.tags[STUDY], "trial": trial.tags[TRIAL]}
    tags |= {name: f"{value:.4f}" for name, value in own.metrics.items() if name.startswith(chosen)}
    tags |= {f"complexity/{name}": str(count) for name, count in asdict(candidate.complexity).items()}
    if candidate.network.of_devices:
        tags["devices"] = ", ".join(sorted(candidate.network.of_devices))
    tags |= {_GATE + each.option: each.statement for each in measured if each.limit is not None}
    tags |= {"learned": _learned_in_words(candidate), "winner": candidate.winner_in_words}
    tags |= {"teaching": candidate.teaching} if candidate.teaching else {}
    tags |= {"doubts": " ".join(doubts)} if (doubts := candidate.doubts) else {}
    return tags | {
        "objective": trial.tags[OBJECTIVE],
        "objective_split": trial.tags.get(SPLIT, ""),
        "teachers": trial.params.get("teachers", "none"),
        "teacher_keys": trial.tags.get(TEACHERS, ""),
        "corpus": candidate.data.digest or "",
        "network_run": own.run_id,
        MODEL_ID: candidate.model_id,
    }


def _learned_in_words(candidate: Candidate) -> str:
    """What the network, or else its trial, reached beside guessing."""
    found = candidate.learned or candidate.judgement.on_test
    if found is None:
        return "Not known: its runs keep neither answers nor accuracies by scene."
    return f"{found.sentence} {candidate.flattery}".rstrip()
