"""Packages that tests install beside this program: a module, and the description that tells of its entry point."""

import shutil
from pathlib import Path

HERE = Path(__file__).parent


def install(folder: Path, module: str, group: str, version: str = "1.2", text: str | None = None) -> Path:
    """Put a module of this folder where Python finds it, as ``pip install`` would; the folder for ``PYTHONPATH``.

    Args:
        folder: of the test.
        module: its name, and that of its entry point.
        group: the entry point's.
        version: of its distribution.
        text: what the module holds instead.
    """
    about = folder / f"{module}-{version}.dist-info"
    about.mkdir(parents=True)
    if text is None:
        shutil.copy(HERE / f"{module}.py", folder)
    else:
        (folder / f"{module}.py").write_text(text)
    name = module.replace("_", "-")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{module} = {module}\n")
    return folder
