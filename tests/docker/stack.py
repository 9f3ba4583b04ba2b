"""The server stack without containers: docker/compose.yaml's services, started natively as it says.

Commands, environment and health checks are read from the file; only names of hosts, ports and mounted files are
replaced. The object store is another program here (moto): Garage is no Python package. It does not check its key.

``python tests/docker/stack.py`` runs it until Ctrl-C, and prints what a client's shell is told to reach it.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE = DOCKER / "compose.yaml"
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:-|:\?)([^{}]*))?\}")
_NOBODY = "nobody"


class VariableMissing(Exception):
    """What `docker compose` ends with, where a variable has neither a value nor a default."""


def read_compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with its variables filled in, as `docker compose config` does it."""

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, kind, text = match.groups()
        value = environment.get(name, "")
        if value or kind is None:
            return value
        if kind == ":?":
            raise VariableMissing(f"required variable {name} is missing a value: {text}")
        return text

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(value) for key, value in node.items()}
        if isinstance(node, list):
            return [filled(value) for value in node]
        return _VARIABLE.sub(fill, node) if isinstance(node, str) else node

    return filled(yaml.safe_load(COMPOSE.read_text()))


def new_secrets(folder: Path) -> dict[str, str]:
    """What docker/new_secrets.sh writes."""
    script = Path(shutil.copy(DOCKER / "new_secrets.sh", folder))
    subprocess.run(["sh", script], check=True, capture_output=True)
    return dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines())


def postgres_binaries() -> Path | None:
    """The folder of PostgreSQL's programs, None where there are none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return folders[-1] if folders else None


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stack:
    """The running stack.

    Attributes:
        folder: for logs and data; nobody's too.
        services: of the compose file.
        ports: by service, instead of those in the file.
        replaced: what stands in the file, and what it is here.
    """

    folder: Path
    services: dict[str, Any]
    ports: dict[str, int]
    replaced: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        inside = {"database": 5432, "store": 3900, "mlflow": 5000, "dashboard": 8080}
        for name, port in inside.items():
            here = self.ports[name]
            self.replaced[f"{name}:{port}"] = f"127.0.0.1:{here}"
            self.replaced[f"127.0.0.1:{port}"] = f"127.0.0.1:{here}"
            for option in ("--port ", "--port=", "port="):
                self.replaced[f"{option}{port}"] = f"{option}{here}"
        self.replaced |= {"0.0.0.0": "127.0.0.1", "listen_addresses=*": "listen_addresses=127.0.0.1"}

    def here(self, text: str) -> str:
        """A text of the compose file with this machine's addresses."""
        return re.sub("|".join(map(re.escape, self.replaced)), lambda match: self.replaced[match[0]], text)

    def command(self, name: str) -> list[str]:
        """A service's command."""
        command = self.services[name]["command"]
        if isinstance(command, str):
            return self.here(command).split()
        return [self.here(word) for word in command]

    def environment(self, name: str) -> dict[str, str]:
        """A service's environment and nothing of the tests', but for where programs are."""
        own = {key: self.here(str(value)) for key, value in self.services[name].get("environment", {}).items()}
        path = os.pathsep.join([str(Path(sys.executable).parent), str(postgres_binaries()), os.environ["PATH"]])
        return {"PATH": path, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"} | own

    def client(self) -> dict[str, str]:
        """What a driver's environment says of the servers."""
        own = self.environment("driver")
        return {key: own[key] for key in own if key.startswith("MLFLOW_") or key in ("ASC_STORAGE", "PGPASSWORD")}

    def start(self, name: str, command: list[str], **options: Any) -> None:
        """Start a service; what it prints goes into its log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment(name), cwd=self.folder, stdout=log, stderr=log, **options
            )

    def stop(self, name: str) -> None:
        """End a service."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGINT if name == "database" else signal.SIGTERM)  # as PostgreSQL's image does
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_until_healthy(self, name: str) -> None:
        """Repeat the service's own health check until it passes."""
        check = [self.here(word) for word in self.services[name]["healthcheck"]["test"][1:]]
        self._wait(name, lambda: subprocess.run(check, env=self.environment(name), capture_output=True).returncode == 0)

    def wait_until_listening(self, name: str) -> None:
        """Wait until a service's port takes connections."""

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.ports[name])) == 0

        self._wait(name, listens)

    def _wait(self, name: str, is_ready: Any) -> None:
        deadline = time.monotonic() + 400  # a busy machine takes its time
        while not is_ready():
            log = self.folder / f"{name}.log"
            assert self.processes[name].poll() is None, f"{name} ended: {log.read_text()[-3_000:]}"
            assert time.monotonic() < deadline, f"{name} does not answer: {log.read_text()[-3_000:]}"
            time.sleep(0.2)

    def start_database(self) -> None:
        """Make the data folder as PostgreSQL's image does, and run the server; as nobody where this is root."""
        data, environment = self.folder / "data", self.environment("database")
        password = self.folder / "password"
        password.write_text(environment["POSTGRES_PASSWORD"])
        options: dict[str, Any] = {}
        if os.geteuid() == 0:
            options = {"user": _NOBODY, "group": "nogroup", "extra_groups": []}
            shutil.chown(password, _NOBODY)
        arguments = environment["POSTGRES_INITDB_ARGS"].split()
        initdb = ["initdb", "-D", str(data), "--username=postgres", f"--pwfile={password}", "--no-sync", *arguments]
        subprocess.run(initdb, env=environment, cwd=self.folder, check=True, capture_output=True, **options)
        self.run_database()
        script = environment | {
            "PGHOST": str(self.folder), "PGPORT": str(self.ports["database"]), "PGPASSWORD": password.read_text(),
        }  # fmt: skip
        subprocess.run([DOCKER / "databases.sh"], env=script, check=True, capture_output=True)

    def run_database(self) -> None:
        """Run PostgreSQL's server on its data folder."""
        options = {"user": _NOBODY, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        own = ["-D", str(self.folder / "data"), "-k", str(self.folder)]
        self.start("database", self.command("database") + own, **options)
        self.wait_until_healthy("database")

    def start_store(self) -> None:
        """Run moto instead of Garage, and make the bucket that Garage makes by itself."""
        self.start("store", ["moto_server", "--host", "127.0.0.1", "--port", str(self.ports["store"])])
        self.wait_until_listening("store")
        environment = self.environment("store")
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.ports['store']}",
            region_name="us-east-1",
            aws_access_key_id=environment["GARAGE_DEFAULT_ACCESS_KEY"],
            aws_secret_access_key=environment["GARAGE_DEFAULT_SECRET_KEY"],
        )
        client.create_bucket(Bucket=environment["GARAGE_DEFAULT_BUCKET"])

    def mount(self, name: str) -> None:
        """Put the files that a service mounts where this machine has room for them."""
        for volume in self.services[name].get("volumes", []):
            source, target = volume.split(":")[:2]
            if source.startswith("./"):
                path = self.folder / Path(source).name
                path.write_text(self.here((DOCKER / source).read_text()))
                self.replaced[target] = str(path)

    def start_servers(self) -> None:
        """Start the other services that have no profile, in the order that they depend on each other."""
        self.start_store()
        self.mount("mlflow")
        for name in ("mlflow", "dashboard"):
            self.start(name, self.command(name))
        for name in ("mlflow", "dashboard"):
            self.wait_until_healthy(name)


@contextmanager
def new_stack() -> Iterator[Stack]:
    """A stack of which nothing is started yet; at the end everything that was is stopped."""
    with tempfile.TemporaryDirectory(prefix="asc-stack-", ignore_cleanup_errors=True) as name, ExitStack() as ending:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, _NOBODY, "nogroup")
        folder.chmod(0o755)
        ports = {service: free_port() for service in ("database", "store", "mlflow", "dashboard")}
        stack = Stack(folder, read_compose(new_secrets(folder))["services"], ports)
        ending.callback(lambda: [stack.stop(each) for each in reversed(list(stack.processes))])
        yield stack


def main() -> None:
    """Run the stack until it is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with new_stack() as stack:
        stack.start_database()
        stack.start_servers()
        for name, value in stack.client().items():
            print(f"export {name}={shlex.quote(value)}")
        print(f"# optuna-dashboard: http://127.0.0.1:{stack.ports['dashboard']}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
