"""The studies that come with the program, found by name wherever it is installed.

They lie in the package, or, where the program runs from a clone, in the clone's ``studies`` folder, their only source.
"""

from __future__ import annotations

from pathlib import Path

import asc_experiments
from asc_experiments.base.errors import AscError, nearest
from asc_experiments.base.progress import say

_ENDINGS = ("", ".yaml", ".yml")


def shipped_studies() -> dict[str, Path]:
    """The files of all shipped studies by their names, such as ``quickstart``."""
    package = Path(asc_experiments.__file__).parent
    for folder in (package / "studies", package.parent / "studies"):
        if (folder / "quickstart.yaml").is_file():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}


def find_study(path: Path) -> Path:
    """The file that a person means: the one of that path, else the shipped study of that name.

    Args:
        path: a file, or ``quickstart``, ``quickstart.yaml``, ``studies/quickstart.yaml``; ``-`` and ``_`` are the same.

    Raises:
        AscError: if there is neither; names the nearest shipped study.
    """
    if path.is_file() or path.is_char_device() or path.is_fifo():
        return path
    shipped = shipped_studies()
    name = path.stem.replace("-", "_")
    if path.suffix in _ENDINGS and str(path.parent) in (".", "studies") and name in shipped:
        say(f"{path}: taking the study that comes with asc_experiments")
        return shipped[name]
    if path.is_dir():
        raise AscError(path, "is a folder", "give a study file")
    raise AscError(path, "no such file, and no study of that name comes with the program", nearest(path.stem, shipped))
