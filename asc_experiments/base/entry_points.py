"""What other packages add to the program: things of one kind by name, which entry points of installed packages bring.

Each kind (architectures, augmentations, metrics, corpus readers) has a :class:`Registry`. What comes with the program
is registered the same way as what does not, and has no :class:`Source`.
"""

from __future__ import annotations

import inspect
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.hashing import digest_file, digest_json
from asc_experiments.base.settings import Settings

T = TypeVar("T")


class Source(Settings):
    """Where something comes from that is not part of the program. It is part of the keys of networks made with it.

    Attributes:
        distribution: the package's name, as it is installed.
        version: its version.
        digest: of all Python files of the package, by name and content.
    """

    distribution: str
    version: str
    digest: str

    @property
    def requirement(self) -> str:
        """As ``pip install`` takes it."""
        return f"{self.distribution}=={self.version}"


class UnknownNameError(AscError):
    """There is nothing of that name here.

    Args:
        where: what wrote it.
        noun: what it would be.
        name: as it was written.
        remedy: what to do about it.
    """

    def __init__(self, where: object, noun: str, name: str, remedy: str) -> None:
        self.noun, self.name = noun, name
        super().__init__(where, f"unknown {noun} '{name}'", remedy)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes whole."""
        return type(self), (self.where, self.noun, self.name, self.remedy)


_loading: EntryPoint | None = None
"""The entry point whose module is being imported."""


class Registry(dict[str, T]):
    """Things of one kind by name, those of the program first.

    Args:
        noun: what they are, for errors.
        group: the entry points that name modules of more.
    """

    def __init__(self, noun: str, group: str) -> None:
        super().__init__()
        self.noun, self.group = noun, group
        self.broken: dict[str, str] = {}
        """Why an entry point gave nothing, by its name."""

    def add(self, name: str, thing: T) -> None:
        """Put a thing in.

        Raises:
            AscError: if there is another one of that name.
        """
        if name in self:
            raise AscError(f"{self.noun} '{name}'", "is there already", "give yours another name")
        self[name] = thing

    def find(self, name: str, where: str) -> T:
        """The thing of a name.

        Args:
            name: as it was written.
            where: what wrote it, for the error.

        Raises:
            AscError: if there is none, with the nearest; or with why that of an installed package could not be loaded.
        """
        if name in self:
            return self[name]
        self.check_loaded(name, where)
        raise UnknownNameError(where, self.noun, name, f"{nearest(name, self)}, or install the package that it is from")

    def check_loaded(self, name: str, where: str) -> None:
        """Say why the entry point of a name gave nothing.

        Raises:
            AscError: if there is such an entry point.
        """
        if name in self.broken:
            what = f"{self.noun} '{name}' cannot be loaded ({self.broken[name]})"
            raise AscError(where, what, "correct its package")

    def check_installed(self, name: str, requirement: str, where: object) -> None:
        """Name the package of a thing that something stored was made with.

        Args:
            name: of the thing.
            requirement: its package, as ``pip install`` takes it.
            where: what was stored, for the error.

        Raises:
            AscError: if it is not installed, or cannot be loaded.
        """
        if name not in self:
            self.check_loaded(name, str(where))
            raise AscError(where, f"needs {self.noun} '{name}', which is not installed", f"pip install {requirement}")

    def load_outside(self) -> None:
        """Import what the entry points of installed packages name; one that fails is told when somebody asks for it."""
        global _loading
        for entry in sorted(entry_points(group=self.group), key=lambda entry: entry.name):
            before, _loading = len(self), entry
            try:
                entry.load()
                if len(self) == before and all(each.__module__ != entry.module for each in self.values()):
                    self.broken[entry.name] = f"{entry.value} registers none"
            except Exception as error:
                self.broken[entry.name] = in_a_line(error)
            finally:
                _loading = None


def in_a_line(error: Exception) -> str:
    """What code of another package raised."""
    said = error.line() if isinstance(error, AscError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())


def source_of(kind: type) -> Source | None:
    """The package of the entry point that is being loaded, with the digest of all its code; None for the program's."""
    if _loading is None or _loading.dist is None:
        return None
    module = kind.__module__.partition(".")[0]
    found = (getattr(sys.modules[module], "__file__", None), inspect.getsourcefile(kind))
    files = [Path(file) for file in found if file]
    folders = [Path(folder) for folder in getattr(sys.modules[module], "__path__", ())]
    own = [Path(str(file.locate())) for file in _loading.dist.files or () if file.suffix == ".py"]
    code = {file.resolve() for file in (*files, *own, *(file for each in folders for file in each.rglob("*.py")))}
    digests = sorted((file.name, digest_file(file)) for file in code if file.is_file())
    about = _loading.dist
    return Source(distribution=about.name, version=about.version, digest=digest_json(digests))
