"""The ids that runs, logged models, experiments and registered versions get where they are moved to, also in texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_LINK = re.compile(r"#/experiments/\d+/runs/(?P<run>[0-9a-f]{32})")
_HOLD_IDS = ("MLmodel", "*.md")
"""Files that ids are in, beside records and tags."""
_ID = re.compile(r"(?<![0-9A-Za-z])(?:m-)?[0-9a-f]{32}(?![0-9A-Za-z])")


@dataclass(frozen=True)
class NewRun:
    """Where a run is now: its id and its experiment's."""

    id: str
    experiment_id: str


@dataclass(frozen=True)
class Ids:
    """From the ids in an archive to those where it is imported.

    Attributes:
        runs: by the run's id in the archive.
        models: by the logged model's.
        versions: the new number by name and number; only where that is another one.
    """

    runs: dict[str, NewRun] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    versions: dict[tuple[str, int], int] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """A tag, note, model card or ``MLmodel`` with the new ids; ids of what is not moved stay."""
        text = _LINK.sub(self._link, text)
        text = _ID.sub(self._id, text)
        return self._versions(text) if self.versions else text

    def texts(self, tags: dict[str, str]) -> dict[str, str]:
        """Tags with the new ids in their values."""
        return {key: self.text(value) for key, value in tags.items()}

    def _link(self, found: re.Match[str]) -> str:
        new = self.runs.get(found["run"])
        return found[0] if new is None else f"#/experiments/{new.experiment_id}/runs/{new.id}"

    def _id(self, found: re.Match[str]) -> str:
        old = found[0]
        if old.startswith("m-"):
            return self.models.get(old, old)
        return self.runs[old].id if old in self.runs else old

    def _versions(self, text: str) -> str:
        """The numbers of registered versions, as a model card writes them."""

        def uri(found: re.Match[str]) -> str:
            return f"models:/{found[1]}/{self.versions.get((found[1], int(found[2])), found[2])}"

        def title(found: re.Match[str]) -> str:
            return f"# {found[1]}, version {self.versions.get((found[1], int(found[2])), found[2])}"

        text = re.sub(r"models:/([^/@\s]+)/(\d+)\b", uri, text)
        return re.sub(r"(?m)^# ([^\s,]+), version (\d+)$", title, text)


def map_files(folder: Path, ids: Ids, location: str | None = None) -> None:
    """Put the new ids into the files of a run or a logged model.

    Args:
        folder: where the files are; those that hold ids are changed there.
        ids: the new ones.
        location: where a logged model's files will be, which its ``MLmodel`` says.
    """
    for pattern in _HOLD_IDS:
        for path in folder.rglob(pattern):
            text = ids.text(path.read_bytes().decode(errors="surrogateescape"))
            if location and path.name == "MLmodel":
                text = re.sub(r"(?m)^artifact_path: .*$", lambda _: f"artifact_path: {location}", text)
            path.write_bytes(text.encode(errors="surrogateescape"))
