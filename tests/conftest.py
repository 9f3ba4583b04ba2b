"""Fixtures that several tests share: a synthetic corpus, golden numbers, workspaces, the program, a web server."""

import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from asc_experiments.cli.main import main
from asc_experiments.corpus import ValidationSplit
from asc_experiments.corpus.synth import synthesise
from asc_experiments.distill import TrainingContext
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import Tracking
from tests.faults.servers import Postgres
from tests.tiers import sort_into_tiers

REPOSITORY = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Tests run on processors, also where there is a GPU, but for those that ``-m gpu`` asks for."""
    if "gpu" not in config.option.markexpr.split():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # PyTorch looks when it is first asked, and so do processes begun later


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sort_into_tiers(items)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded waveforms and locks, shared by all tests and the programs they start."""
    folder = tmp_path_factory.mktemp("cache")
    patch = pytest.MonkeyPatch()
    patch.setenv("ASC_CACHE", str(folder))
    yield folder
    patch.undo()


@pytest.fixture(autouse=True)
def own_settings(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in ("MLFLOW_TRACKING_URI", "ASC_STORAGE", "ASC_DIRS", "ASC_WORKSPACE", "ASC_PRECISION", "ASC_LOGGERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recordings and golden numbers that lie beside the repository and are not part of it."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "parity").is_dir():
        pytest.skip("needs ../shared with the golden numbers and field recordings")
    return folder


@pytest.fixture(scope="session")
def synth_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic corpus of 200 clips; not to be changed."""
    folder = tmp_path_factory.mktemp("synthetic") / "corpus"
    synthesise(folder, clips_per_scene=20, seed=0)
    return folder


@pytest.fixture
def corpus_copy(synth_corpus: Path, tmp_path: Path) -> Path:
    """A copy of the synthetic corpus that a test may damage."""
    return Path(shutil.copytree(synth_corpus, tmp_path / "copy"))


@dataclass(frozen=True)
class CliResult:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def asc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., CliResult]:
    """Run the command line in this process, as the program does."""

    def run(*arguments: object) -> CliResult:
        monkeypatch.setattr(sys, "argv", ["asc", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        captured = capsys.readouterr()
        return CliResult(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database as a fresh workspace has it; creating one takes seconds."""
    folder = tmp_path_factory.mktemp("template")
    Tracking.open(folder)
    return folder / "mlruns" / "mlflow.db"


@pytest.fixture
def workspace(tmp_path: Path, new_database: Path) -> Path:
    """A workspace with an empty database."""
    folder = tmp_path / "workspace"
    (folder / "mlruns").mkdir(parents=True)
    shutil.copy(new_database, folder / "mlruns")
    return folder


@pytest.fixture
def empty_workspace(tmp_path: Path) -> Path:
    """A workspace in which nothing was ever run."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def tracking(workspace: Path) -> Tracking:
    """A tracking server's database, empty."""
    return Tracking.open(workspace)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """PostgreSQL with one database, ``template``, that has MLflow's tables; making them takes seconds."""
    if not Postgres.is_here():
        pytest.skip("needs PostgreSQL's programs (Debian: apt-get install postgresql)")
    server = Postgres()
    try:
        server.start()
        server.create("template")
        Tracking.open(tmp_path_factory.mktemp("template"), server.url("template"))
        yield server
    finally:
        server.stop()


@pytest.fixture
def on_postgres(postgres: Postgres, tmp_path: Path) -> Tracking:
    """A tracking server's database in PostgreSQL, empty; it takes no text that is too long."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'template'")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    return Tracking.open(tmp_path, postgres.url(name))


@pytest.fixture
def open_bench(synth_corpus: Path, workspace: Path, cache: Path) -> Callable[..., TrainingContext]:
    """Open the synthetic corpus for training, on this workspace."""

    def open_(
        split: ValidationSplit | None = None, corpus: Path | None = None, train_splits: Sequence[str | Path] = ()
    ) -> TrainingContext:
        split = split or ValidationSplit(fraction=0.3)
        tracking = Tracking.open(workspace)
        return TrainingContext.open(corpus or synth_corpus, tracking, cache, split, train_splits=train_splits)

    return open_


@dataclass
class FileServer:
    """A web server on this machine, with faults to order.

    Attributes:
        files: what it has, by the last part of the address.
        cuts: after how many bytes of content each answer breaks off, taken from the front; then none does.
        stalls: after how many bytes of content the next answer with a file stops without an end, by file.
        damaged: how many more answers have a wrong byte.
        status: what it answers to everything, where it is not 0.
        knows_ranges: whether it can begin in the middle of a file.
        asked: each request's file and ``Range``.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    stalls: dict[str, int] = field(default_factory=dict)
    damaged: int = 0
    status: int = 0
    knows_ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


def answer_file(server: FileServer, handler: BaseHTTPRequestHandler) -> None:
    """Answer one request as the server's faults will have it."""
    name, wanted = handler.path.rpartition("/")[2].partition("?")[0], handler.headers.get("Range")
    server.asked.append((name, wanted))
    content, start = server.files.get(name), 0
    status = server.status or (200 if content is not None else 404)
    content = content if content is not None and status == 200 else b"an error page"
    if wanted and server.knows_ranges and status == 200:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        status = 206 if start < len(content) else 416
    if server.damaged and status in (200, 206):
        server.damaged -= 1
        content = content[:-1] + bytes([content[-1] ^ 1])
    handler.send_response(status)
    body = content[start:]
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    with suppress(ConnectionError):  # the client was killed
        if name in server.stalls:
            handler.wfile.write(body[: server.stalls.pop(name)])
            server.closing.wait()
        else:
            handler.wfile.write(body[: server.cuts.pop(0) if server.cuts else None])


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """A web server without files and faults."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer_file(served, self)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = FileServer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        served.closing.set()
        server.shutdown()
        thread.join()


TINY_STUDY = """
name: tiny
trials: 3
sampler: random
validation: {fraction: 0.3}
ensemble:
  size: [1, 2]
  common: {epochs: 1, batch_size: 64}
  pool:
    - {arch: cp_mobile, base_channels: 8, augment: [none, dirfms]}
    - {arch: cp_resnet, base_channels: 10}
student: {base_channels: 8, epochs: 2, batch_size: 64}
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a study file that trains in seconds, with some lines replaced."""

    def write(**replaced: str) -> Path:
        text = TINY_STUDY
        for key, line in replaced.items():
            changed, count = re.subn(rf"(?m)^{key}:.*$", f"{key}: {line}", text)
            text = changed if count else f"{text}{key}: {line}\n"
        path = tmp_path / "tiny.yaml"
        path.write_text(text)
        return path

    return write


STUDY_OF_TWO = """
name: tiny
trials: 2
sampler: random
validation: {fraction: 0.3}
ensemble:
  size: [0, 1]
  pool:
    - {arch: cp_mobile, base_channels: 8, augment: dirfms, epochs: 1, batch_size: 64, learning_rate: 2e-5}
student: {base_channels: 8, augment: none, epochs: 1, batch_size: 64}
distillation: {temperature: [3.0]}
enqueue: [{ensemble_size: 1}, {ensemble_size: 0}]
"""


@pytest.fixture(scope="session")
def studied(synth_corpus: Path, cache: Path, new_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a finished study ``tiny``: trial 0 has a teacher, trial 1 labels alone. Not to be changed."""
    workspace = tmp_path_factory.mktemp("studied")
    (workspace / "mlruns").mkdir()
    shutil.copy(new_database, workspace / "mlruns")
    file = workspace / "tiny.yaml"
    file.write_text(STUDY_OF_TWO)
    study = read_study(file)
    bench = TrainingContext.open(synth_corpus, Tracking.open(workspace), cache, ValidationSplit(fraction=0.3))
    Driver(study, bench, open_storage(workspace, None)).run()
    return workspace
