"""A pin with a known fault fails the audit; where nobody can be asked, it says so, and a release fails."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from release.audit import FOLDER, PINS, DatabaseError, faults_by_database, faults_by_list, read_pins

ADVISORIES = yaml.safe_load((FOLDER / "advisories.yaml").read_text())
NOBODY = "http://127.0.0.1:9/v1/query"


def audit(pins: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "release.audit", "--requirements", str(pins), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER.parent)


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "pins.txt"
    path.write_text("# pins\nrequests==2.34.2\nPyYAML==6.0.3  # safe\n")
    return path


@pytest.fixture
def database() -> Iterator[str]:
    """A database in OSV's format that knows one fault; it stands for the real one, which no test may need."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = asked["package"]["name"].lower(), asked["version"]
            fault = {
                "id": "PYSEC-0000-1",
                "summary": "a made-up fault",
                "details": "a made-up fault",
                "published": "2026-01-01T00:00:00Z",
                "modified": "2026-01-01T00:00:00Z",
                "affected": [
                    {
                        "package": {"name": "pyyaml", "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "6.0.2"}]}],
                    }
                ],
            }
            known = (name, version) == ("pyyaml", "6.0.1")
            body = json.dumps({"vulns": [fault]} if known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        server.shutdown()
        thread.join()


def test_no_pin_of_this_program_has_a_fault_that_the_list_knows() -> None:
    assert faults_by_list(read_pins(PINS)) == []


@pytest.mark.parametrize("entry", ADVISORIES, ids=lambda entry: entry["id"])
def test_list_knows_a_faulty_version_and_lets_the_pinned_one_pass(entry: dict[str, str]) -> None:
    faulty = {"torch": "1.13.0", "pyarrow": "14.0.0", "pyyaml": "5.3.1", "onnx": "1.12.0", "mlflow": "2.9.2",
              "pillow": "10.0.0", "jinja2": "2.11.2", "werkzeug": "3.0.0", "requests": "2.30.0",
              "setuptools": "65.5.0"}[entry["package"]]  # fmt: skip
    assert entry["id"] in [fault.id for fault in faults_by_list({entry["package"]: faulty})]
    pinned = read_pins(PINS)[entry["package"]]
    assert not SpecifierSet(entry["affected"]).contains(pinned)


def test_faulty_pin_fails_without_a_network(pins: Path) -> None:
    pins.write_text(pins.read_text() + "torch==2.9.1\n")
    done = audit(pins, "--osv-url", NOBODY)
    assert done.returncode == 1
    assert "torch==2.9.1: CVE-2026-24747" in done.stderr


def test_faulty_pin_fails_by_the_database(pins: Path, database: str) -> None:
    assert audit(pins, "--osv-url", database, "--require-database").returncode == 0
    pins.write_text(pins.read_text().replace("6.0.3", "6.0.1"))
    done = audit(pins, "--osv-url", database)
    assert done.returncode == 1
    assert "pyyaml==6.0.1: PYSEC-0000-1: a made-up fault; fixed in 6.0.2" in done.stderr


def test_silent_database_is_said_and_only_a_release_fails(pins: Path) -> None:
    done = audit(pins, "--osv-url", NOBODY)
    assert done.returncode == 0
    assert "NOT AUDITED by a database" in done.stderr
    assert audit(pins, "--osv-url", NOBODY, "--require-database").returncode == 3


def test_database_that_answers_nothing_is_no_audit() -> None:
    with pytest.raises(DatabaseError):
        faults_by_database({"requests": "2.34.2"}, NOBODY)


def test_line_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pins.txt").write_text("requests>=2\n")
    with pytest.raises(ValueError, match="pins no version"):
        read_pins(tmp_path / "pins.txt")
