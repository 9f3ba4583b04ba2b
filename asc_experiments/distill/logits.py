"""Logits by clip id: what a Teacher leaves behind for its students."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from asc_experiments.base.errors import AscError


@lru_cache(maxsize=4)
def _rows(filenames: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """Clip ids and the row of each, once for all tables of the same clips: a corpus may have 230,350."""
    return filenames, {name: row for row, name in enumerate(filenames)}


@dataclass(frozen=True, eq=False)
class LogitTable:
    """Logits of named clips.

    Attributes:
        filenames: the clip ids.
        values: ``(clips, scenes)`` float32.
    """

    filenames: tuple[str, ...]
    values: np.ndarray

    @cached_property
    def _row_of(self) -> Mapping[str, int]:
        return _rows(self.filenames)[1]

    def of(self, filenames: Sequence[str], whose: str, optional: Collection[str] = ()) -> np.ndarray:
        """The logits of these clips, in this order; ``(clips, scenes)`` float32.

        Args:
            filenames: clip ids.
            whose: named in the error.
            optional: those that need none; where there are none, the row is NaN.

        Raises:
            AscError: if a clip that needs logits has none.
        """
        absent = {name for name in filenames if name not in self._row_of}
        missing = [name for name in filenames if name in absent and name not in optional]
        if missing:
            what = f"has no logits for {missing[0]}" + (f" and {len(missing) - 1} other clips" if missing[1:] else "")
            raise AscError(whose, what, "train it on this corpus")
        found = self.values[[self._row_of.get(name, 0) for name in filenames]]
        if absent:
            found[[name in absent for name in filenames]] = np.nan
        return found

    def known(self) -> LogitTable:
        """The table without the rows that are NaN."""
        kept = ~np.isnan(self.values).any(axis=1)
        if kept.all():
            return self
        names = tuple(name for name, keep in zip(self.filenames, kept, strict=True) if keep)
        return LogitTable(names, self.values[kept])

    def save(self, path: Path, seconds: float | None = None) -> None:
        """Write an ``.npz`` file that loads without pickle; the same table gives the same bytes.

        Args:
            path: of the file.
            seconds: how long the clips are, for whoever imports the file; left out where it is None.
        """
        arrays = {"filenames": np.array(self.filenames), "values": self.values}
        if seconds is not None:
            arrays["seconds"] = np.array([seconds])
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, array, allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)

    @classmethod
    def load(cls, path: Path) -> LogitTable:
        """Read what :meth:`save` wrote.

        Raises:
            AscError: if the file is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                return cls(_rows(tuple(archive["filenames"].tolist()))[0], archive["values"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise AscError(path, f"holds no readable logits ({error})", "train the teacher again") from None
