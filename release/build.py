"""Build wheel and source distribution of this clone's files, and say what is wrong with what they hold.

They are built from a copy of what git knows, or would take: nothing that lies about in a working folder gets into them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
_WHEEL = (
    "asc_experiments/py.typed",
    "asc_experiments/cli/main.py",
    "asc_experiments/report/render/templates/page.html",
    "asc_experiments/training/fused/kernels.cpp",
    "asc_experiments/studies/README.md",
)
_SDIST = (
    "setup.py", "setup.cfg", "pyproject.toml", "constraints.txt", "CHANGELOG.md", "LICENSE", "README.md", "Makefile",
    "studies/README.md", "tests/conftest.py", "release/check.py", "docker/compose.yaml", "docs/take_screenshots.py",
    "docs/site/mkdocs.yml", "docs/index.md", "docs/images/report-light.png", "findings/README.md", "CONTRIBUTING.md",
    "SECURITY.md", "CITATION.cff",
)  # fmt: skip
_NEVER = ("optuna.journal", "mlflow.db", "mlruns/", "demo_corpus/", "__pycache__", ".pyc", ".env", ".venv", ".asc/")
_MOST_BYTES = {".whl": 2_000_000, ".gz": 5_000_000}


def copy_sources(target: Path) -> None:
    """Copy every file that git knows or would take, as it is now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # else it was removed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def build(sources: Path, target: Path, isolated: bool = True) -> tuple[Path, Path]:
    """Build the source distribution, and the wheel from it.

    Args:
        sources: a copy of the files.
        target: where to.
        isolated: in an environment of its own, for which setuptools is downloaded.

    Returns:
        The wheel and the source distribution.

    Raises:
        RuntimeError: with what the build said.
    """
    command = [sys.executable, "-m", "build", "--outdir", str(target), str(sources)]
    command += [] if isolated else ["--no-isolation"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the build failed:\n{done.stdout}\n{done.stderr}")
    return next(target.glob("*.whl")), next(target.glob("*.tar.gz"))


def wheel_faults(wheel: Path, version: str, studies: set[str]) -> list[str]:
    """What is wrong with a wheel; nothing where it is fit.

    Args:
        wheel: the file.
        version: the version that it must have.
        studies: the file names of the studies that it must hold.
    """
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        about = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(opened.read(about).decode())
        entry = next((name for name in names if name.endswith("entry_points.txt")), "")
        scripts = opened.read(entry).decode() if entry else ""
    faults = _absent(names, _WHEEL) + _unwanted(names)
    tops = {name.partition("/")[0] for name in names}
    faults += [f"holds {top}/" for top in sorted(tops) if top != "asc_experiments" and not top.endswith(".dist-info")]
    shipped = {Path(name).name for name in names if name.startswith("asc_experiments/studies/")} - {"README.md"}
    faults += [f"lacks the study {name}" for name in sorted(studies - shipped)]
    faults += [f"holds {name} among the studies" for name in sorted(shipped - studies)]
    faults += [] if "asc = asc_experiments.cli.main:main" in scripts else ["lacks the command asc"]
    faults += [] if any(name.endswith("LICENSE") for name in names) else ["lacks the licence"]
    if metadata["Version"] != version:
        faults.append(f"is version {metadata['Version']}, and asc_experiments.__version__ is {version}")
    return faults + _too_large(wheel)


def sdist_faults(sdist: Path, studies: set[str]) -> list[str]:
    """What is wrong with a source distribution; nothing where it is fit."""
    with tarfile.open(sdist) as opened:
        names = [name.partition("/")[2] for name in opened.getnames()]
    wanted = (*_SDIST, *(f"studies/{name}" for name in studies))
    return _absent(names, wanted) + _unwanted(names) + _too_large(sdist)


def _absent(names: list[str], wanted: tuple[str, ...]) -> list[str]:
    return [f"lacks {name}" for name in wanted if name not in names]


def _unwanted(names: list[str]) -> list[str]:
    return [f"holds {name}" for name in names for part in _NEVER if part in name and not name.endswith(".env.example")]


def _too_large(path: Path) -> list[str]:
    size, most = path.stat().st_size, _MOST_BYTES[path.suffix]
    return [f"is {size / 1e6:.1f} MB large, more than {most / 1e6:.1f}"] if size > most else []
