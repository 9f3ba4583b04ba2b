"""Whether a pinned dependency has a known fault: by the short list beside this file, and by pip-audit's database.

Where the database does not answer, that is said, and is a failure only with --require-database: `make test` must pass
without a network, a release must not.

Command: .venv/bin/python -m release.audit [--require-database] [--requirements FILE] [--osv-url URL]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parent
PINS = FOLDER.parent / "constraints.txt"
_FOUND, _UNKNOWN = 1, 3
"""Exit codes: a pin is known to be faulty; nobody could be asked."""
_TIMEOUT_S = 1_200


@dataclass(frozen=True)
class Fault:
    """A known fault of a pin."""

    pin: str
    id: str
    what: str
    remedy: str

    def line(self) -> str:
        """The fault as one line."""
        return f"{self.pin}: {self.id}: {self.what}; {self.remedy}"


class DatabaseError(Exception):
    """The database does not answer, or knows none of what it was asked."""


def read_pins(path: Path) -> dict[str, str]:
    """The pinned versions of a constraints file, by package name.

    Raises:
        ValueError: if a line pins nothing.
    """
    pins: dict[str, str] = {}
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        requirement = Requirement(text)
        versions = [each.version for each in requirement.specifier if each.operator == "=="]
        if not versions:
            raise ValueError(f"{path}: '{text}' pins no version; write NAME==VERSION")
        pins[canonicalize_name(requirement.name)] = versions[0]
    return pins


def faults_by_list(pins: Mapping[str, str], advisories: Path = FOLDER / "advisories.yaml") -> list[Fault]:
    """The faults that the list beside this file knows of."""
    found = []
    for entry in yaml.safe_load(advisories.read_text()):
        version = pins.get(canonicalize_name(entry["package"]))
        if version and SpecifierSet(entry["affected"]).contains(version, prereleases=True):
            pin = f"{entry['package']}=={version}"
            found.append(Fault(pin, entry["id"], entry["what"], f"affected: {entry['affected']}"))
    return found


def faults_by_database(pins: Mapping[str, str], osv_url: str | None = None) -> tuple[list[Fault], list[str]]:
    """The faults that pip-audit's database knows of, and the pins that it does not know.

    One pin is asked for first: a database that does not know it need not be asked for a hundred others.

    Args:
        pins: the versions, by package.
        osv_url: the query address of a database in OSV's format; PyPI's own by default.

    Raises:
        DatabaseError: if it does not answer, or does not know the first pin.
    """
    for entry in _ask(dict(list(pins.items())[:1]), osv_url):
        if "skip_reason" in entry:
            raise DatabaseError(entry["skip_reason"])
    found, unknown = [], []
    for entry in _ask(pins, osv_url):
        if "skip_reason" in entry:
            unknown.append(str(entry["name"]))
        for fault in entry.get("vulns", ()):
            fixed = ", ".join(fault["fix_versions"])
            remedy = f"fixed in {fixed}" if fixed else "not fixed yet"
            what = " ".join(fault.get("description", "").split())[:160]
            found.append(Fault(f"{entry['name']}=={entry['version']}", fault["id"], what, remedy))
    return found, unknown


def _ask(pins: Mapping[str, str], osv_url: str | None) -> list[dict[str, Any]]:
    """What pip-audit says of each pin."""
    with tempfile.TemporaryDirectory(prefix="asc-audit-") as folder:
        asked = Path(folder, "pins.txt")
        asked.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(asked), "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", "--cache-dir", str(Path(folder, "cache"))]
        command += ["--vulnerability-service", "osv", "--osv-url", osv_url] if osv_url else []
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, env=os.environ | {"NO_COLOR": "1"}
        )
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        reason = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise DatabaseError(reason[0]) from None


def main() -> int:
    """Say what is known of the pins; the exit code."""
    parser = argparse.ArgumentParser(prog="release.audit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requirements", type=Path, default=PINS, help="a file of pins (default: constraints.txt)")
    parser.add_argument("--require-database", action="store_true", help="fail where no database answers")
    parser.add_argument("--osv-url", help="a database in OSV's format (default: PyPI's)")
    given = parser.parse_args()
    pins = read_pins(given.requirements)
    faults = faults_by_list(pins)
    print(f"{len(pins)} pins; the list of known faults names {len(faults)} of them")
    unknown = list(pins)
    try:
        by_database, unknown = faults_by_database(pins, given.osv_url)
        print(f"the database names {len(by_database)} faults")
        faults += by_database
        if unknown:
            print(f"NOT AUDITED: the database does not know {', '.join(unknown)}", file=sys.stderr)
    except DatabaseError as error:
        print(f"NOT AUDITED by a database: {error}", file=sys.stderr)
    for fault in faults:
        print(f"error: {fault.line()}", file=sys.stderr)
    if faults:
        return _FOUND
    return _UNKNOWN if unknown and given.require_database else 0


if __name__ == "__main__":
    sys.exit(main())
