"""Packages that tests install beside this program: modules, and the description that tells of their entry points."""

from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent


def text_of(module: str) -> str:
    """What a module of this folder holds."""
    return (HERE / f"{module}.py").read_text()


def install(folder: Path, groups: Mapping[str, str], version: str = "1.2", texts: Mapping[str, str] = {}) -> Path:
    """Put modules of this folder where Python finds them, as ``pip install`` would; the folder for ``PYTHONPATH``.

    The package has the name of the first module.

    Args:
        folder: of the test.
        groups: the group of entry points that each module belongs to; an entry point has its module's name.
        version: of the package.
        texts: what a module holds instead.
    """
    first = next(iter(groups))
    about = folder / f"{first}-{version}.dist-info"
    about.mkdir(parents=True)
    for module in groups:
        (folder / f"{module}.py").write_text(texts[module] if module in texts else text_of(module))
    name = first.replace("_", "-")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    entries = "".join(f"[{group}]\n{module} = {module}\n" for module, group in groups.items())
    (about / "entry_points.txt").write_text(entries)
    return folder
