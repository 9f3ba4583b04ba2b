"""Everything that must hold before a release: built clean, installed elsewhere, tried there, listed, audited.

Command: make release-check   (or .venv/bin/python -m release.check [--quick] [--allow-dirty])

What a release consists of is then in dist/: wheel, source distribution, and the list of everything that was installed
with it (CycloneDX). --quick installs the wheel alone, beside the packages that are here: seconds instead of gigabytes,
and no list.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from release.build import ROOT, build, copy_sources, sdist_faults, wheel_faults

DIST = ROOT / "dist"
_MADE_BY_DEMO = ("next:", "report quickstart --format html", "models:/asc-student@champion")


class CheckError(Exception):
    """A release must not go out like this."""


def version() -> str:
    """The version, from its one place."""
    found = re.search(r'__version__ = "([^"]+)"', (ROOT / "asc_experiments" / "__init__.py").read_text())
    assert found
    return found[1]


def run(command: list[str | Path], **settings: object) -> str:
    """Run a command; what it printed.

    Raises:
        CheckError: with what it said, if it fails.
    """
    words = list(map(str, command))
    done = subprocess.run(words, capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload]
    if done.returncode:
        raise CheckError(
            f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}"
        )
    return str(done.stdout)


def check_changelog() -> None:
    """The version has a section."""
    text = (ROOT / "CHANGELOG.md").read_text()
    if not re.search(rf"(?m)^## \[?{re.escape(version())}\]? ", text):
        raise CheckError(f"CHANGELOG.md has no section for {version()}")


def check_clean() -> None:
    """What is built is what is committed."""
    changed = run(["git", "status", "--porcelain"], cwd=ROOT).splitlines()
    if changed:
        raise CheckError(f"{len(changed)} files are not committed; commit them, or give --allow-dirty")


def build_clean(folder: Path) -> tuple[Path, Path]:
    """Build from a copy, into an empty dist/, and check both files."""
    copy_sources(folder / "sources")
    shutil.rmtree(DIST, ignore_errors=True)
    wheel, sdist = build(folder / "sources", DIST)
    studies = {path.name for path in (folder / "sources" / "studies").glob("*.yaml")}
    faults = [f"{wheel.name} {fault}" for fault in wheel_faults(wheel, version(), studies)]
    faults += [f"{sdist.name} {fault}" for fault in sdist_faults(sdist, studies)]
    if faults:
        raise CheckError("\n".join(faults))
    run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist])
    return wheel, sdist


def install(wheel: Path, folder: Path, quick: bool) -> Path:
    """Install the wheel into a new environment; its Python.

    Args:
        wheel: the file.
        folder: of the environment.
        quick: take every other package from where this runs.
    """
    run([sys.executable, "-m", "venv", *(["--without-pip"] if quick else []), folder])
    python = folder / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    if quick:
        site = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
        # A plain line: the .pth files over there, which lead to this clone, are not read.
        (site / "elsewhere.pth").write_text(sysconfig.get_path("purelib") + "\n")
        run([*pip, "--no-deps", "--no-index", wheel])
    else:
        run([*pip, "--constraint", ROOT / "constraints.txt", wheel])
    return python


def try_installed(python: Path, folder: Path) -> None:
    """Use the installed program in an empty folder, as somebody does who has no clone."""
    folder.mkdir()
    asc = python.with_name("asc")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ASC_", "MLFLOW_", "PYTHON"))
    }
    where = {"cwd": folder, "env": environment}
    told = run([asc, "--version"], **where)
    if told.split() != ["asc_experiments", version()]:
        raise CheckError(f"asc --version says {told!r}, not {version()}")
    place = run([python, "-c", "import asc_experiments; print(asc_experiments.__file__)"], **where).strip()
    if not Path(place).is_relative_to(python.parents[1]):
        raise CheckError(f"the package that was tried is {place}, not the one that was installed")
    shown = run([asc, "demo"], **where)
    missing = [text for text in _MADE_BY_DEMO if text not in shown]
    if missing:
        raise CheckError(f"asc demo did not say {missing[0]!r}:\n{shown[-2_000:]}")


def list_parts(python: Path) -> Path:
    """Write the list of all that is installed with the program (SBOM, CycloneDX), without paths of this machine."""
    path = DIST / f"asc_experiments-{version()}.cdx.json"
    run([sys.executable, "-m", "cyclonedx_py", "environment", python, "--output-reproducible", "-o", path])
    about = json.loads(path.read_text())
    for part in about["components"]:
        links = [link for link in part.get("externalReferences", ()) if not link["url"].startswith("file:")]
        part["externalReferences"] = links
    path.write_text(json.dumps(about, indent=1))
    return path


def audit() -> None:
    """No pin has a known fault, by a database that answered."""
    run([sys.executable, "-m", "release.audit", "--require-database"], cwd=ROOT)


def main() -> int:
    """Run every check; the exit code."""
    parser = argparse.ArgumentParser(prog="release.check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="install the wheel alone, beside the packages here")
    parser.add_argument("--allow-dirty", action="store_true", help="also what is not committed")
    given = parser.parse_args()
    failed = []

    def step(title: str, do: Callable[[], object]) -> object:
        start = time.monotonic()
        try:
            made = do()
        except CheckError as error:
            failed.append(title)
            print(f"FAILED  {title}: {error}", flush=True)
            return None
        print(f"ok      {title} ({time.monotonic() - start:.0f} s)", flush=True)
        return made

    with tempfile.TemporaryDirectory(prefix="asc-release-") as name:
        folder = Path(name)
        if not given.allow_dirty:
            step("everything is committed", check_clean)
        step("the changelog has this version", check_changelog)
        built = step(
            "wheel and source distribution are built clean and hold what they must", lambda: build_clean(folder)
        )
        if isinstance(built, tuple):
            python = step("the wheel installs", lambda: install(built[0], folder / "environment", given.quick))
            if isinstance(python, Path):
                step("asc demo runs without a clone", lambda: try_installed(python, folder / "empty"))
                if not given.quick:
                    step("the list of parts is written", lambda: list_parts(python))
        step("no pin has a known fault", audit)
    print(f"{len(failed)} checks failed" if failed else f"version {version()} is fit to be released: {DIST}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
