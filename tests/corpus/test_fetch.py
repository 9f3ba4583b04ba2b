"""A published corpus is fetched whole, continues after any interruption, and a rerun does nothing."""

import hashlib
import io
import json
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asc_experiments.base import download as download_module
from asc_experiments.base.errors import AscError
from asc_experiments.corpus.fetch import KNOWN, Archive, PublishedCorpus, fetch_corpus, published_corpus

TOP = "TAU-tiny-development"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "_WAITS_S", (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def archives(synth_corpus: Path) -> dict[str, bytes]:
    """The synthetic corpus as it would be published: two archives of sound, then one of tables."""
    clips = sorted((synth_corpus / "audio").iterdir())
    tables = [synth_corpus / "meta.csv", *sorted((synth_corpus / "evaluation_setup").iterdir())]
    parts = {"audio.1.zip": clips[:100], "audio.2.zip": clips[100:], "meta.zip": tables}
    packed = {}
    for name, paths in parts.items():
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            file.mkdir(f"{TOP}/")
            for path in paths:
                file.write(path, f"{TOP}/{path.relative_to(synth_corpus)}")
        packed[name] = content.getvalue()
    return packed


@pytest.fixture
def published(archives: dict[str, bytes], file_server: Any) -> PublishedCorpus:
    file_server.files = dict(archives)
    entries = [Archive(name, f"md5:{hashlib.md5(data).hexdigest()}", len(data)) for name, data in archives.items()]
    return PublishedCorpus("A tiny corpus", f"{file_server.url}/files/{{name}}?download=1", TOP, tuple(entries))


@pytest.fixture
def fetch(published: PublishedCorpus, cache: Path, monkeypatch: pytest.MonkeyPatch, asc: Callable) -> Callable:
    """Run ``asc corpus fetch`` for the tiny corpus."""
    monkeypatch.setitem(KNOWN, "tiny", published)
    return lambda folder, *options: asc("corpus", "fetch", "tiny", folder, *options)


def content(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {"archives", "dirs"} & set(path.relative_to(root).parts)
    }


def one_line(result: Any) -> str:
    assert result.code == 2, result.err
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.err
    assert "Traceback" not in result.err
    return errors[0]


def test_folder_becomes_the_corpus(fetch: Callable, synth_corpus: Path, tmp_path: Path) -> None:
    result = fetch(tmp_path / "corpus")
    assert result.code == 0, result.err
    assert f"200 clips are in {tmp_path / 'corpus'}" in result.out
    assert content(tmp_path / "corpus") == content(synth_corpus)
    assert [path.name for path in (tmp_path / "corpus" / "archives").iterdir()] == ["fetched.json"]


def test_archives_are_kept_where_asked(fetch: Callable, archives: dict[str, bytes], tmp_path: Path) -> None:
    assert fetch(tmp_path / "corpus", "--keep-archives").code == 0
    for name, data in archives.items():
        assert (tmp_path / "corpus" / "archives" / name).read_bytes() == data


def test_rerun_does_nothing(fetch: Callable, tmp_path: Path, file_server: Any) -> None:
    fetch(tmp_path / "corpus")
    asked = len(file_server.asked)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*")}
    result = fetch(tmp_path / "corpus")
    assert result.code == 0, result.err
    assert len(file_server.asked) == asked == 3
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*")} == before


def test_archive_that_is_published_anew_is_fetched_anew(
    fetch: Callable, published: PublishedCorpus, tmp_path: Path, file_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(tmp_path / "corpus")
    changed = io.BytesIO(file_server.files["meta.zip"])
    with zipfile.ZipFile(changed, "a") as file:
        file.writestr(f"{TOP}/README.md", "second edition")
    file_server.files["meta.zip"] = changed.getvalue()
    last = Archive("meta.zip", f"md5:{hashlib.md5(changed.getvalue()).hexdigest()}", 1)
    monkeypatch.setitem(KNOWN, "tiny", replace(published, archives=(*published.archives[:2], last)))
    assert fetch(tmp_path / "corpus").code == 0
    assert [name for name, _ in file_server.asked[3:]] == ["meta.zip"]
    assert (tmp_path / "corpus" / "README.md").read_text() == "second edition"


def test_interrupted_fetch_goes_on_and_half_a_corpus_is_none(
    fetch: Callable, synth_corpus: Path, tmp_path: Path, file_server: Any, asc: Callable
) -> None:
    corpus, size = tmp_path / "corpus", len(file_server.files["audio.1.zip"])
    file_server.cuts = [size, 1_000_000, 0, 0, 0]
    assert "audio.2.zip: broke off" in one_line(fetch(corpus))
    assert sorted(path.name for path in (corpus / "archives").iterdir()) == ["audio.2.zip.part", "fetched.json"]
    assert asc("corpus", "check", corpus).code == 2, "the tables come last"
    have = (corpus / "archives" / "audio.2.zip.part").stat().st_size
    asked = len(file_server.asked)
    assert fetch(corpus).code == 0
    assert file_server.asked[asked:] == [("audio.2.zip", f"bytes={have}-"), ("meta.zip", None)]
    assert content(corpus) == content(synth_corpus)


FETCH = """
import sys
from pathlib import Path
from asc_experiments.corpus.fetch import Archive, PublishedCorpus, fetch_corpus
folder, cache, url, *entries = sys.argv[1:]
archives = tuple(Archive(*entry.split("="), 1) for entry in entries)
fetch_corpus(PublishedCorpus("A tiny corpus", url, "TAU-tiny-development", archives), Path(folder), Path(cache))
"""


def test_killed_fetch_goes_on(
    fetch: Callable, published: PublishedCorpus, cache: Path, synth_corpus: Path, tmp_path: Path, file_server: Any
) -> None:
    """kill -9 in the middle of the second archive."""
    corpus = tmp_path / "corpus"
    file_server.stalls = {"audio.2.zip": 500_000}
    entries = [f"{archive.name}={archive.checksum}" for archive in published.archives]
    process = subprocess.Popen([sys.executable, "-c", FETCH, str(corpus), str(cache), published.url, *entries])
    part = corpus / "archives" / "audio.2.zip.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    have = part.stat().st_size
    result = fetch(corpus)
    assert result.code == 0, result.err
    asked = [("audio.1.zip", None), ("audio.2.zip", None), ("audio.2.zip", f"bytes={have}-"), ("meta.zip", None)]
    assert file_server.asked == asked
    assert content(corpus) == content(synth_corpus)


def test_archive_that_was_not_unpacked_whole_is_unpacked_again(
    fetch: Callable, synth_corpus: Path, tmp_path: Path, file_server: Any
) -> None:
    """Killed while it unpacked: a file is cut short, the archive is there, its marker is not."""
    corpus = tmp_path / "corpus"
    fetch(corpus, "--keep-archives")
    marker = corpus / "archives" / "fetched.json"
    fetched = json.loads(marker.read_text())
    del fetched["audio.2.zip"]
    marker.write_text(json.dumps(fetched))
    clip = max((corpus / "audio").iterdir())
    clip.write_bytes(clip.read_bytes()[:1_000])
    asked = len(file_server.asked)
    assert fetch(corpus).code == 0
    assert len(file_server.asked) == asked, "the archive is still there"
    assert content(corpus) == content(synth_corpus)


def test_archive_put_there_by_hand_is_used(fetch: Callable, tmp_path: Path, file_server: Any) -> None:
    (tmp_path / "corpus" / "archives").mkdir(parents=True)
    (tmp_path / "corpus" / "archives" / "audio.1.zip").write_bytes(file_server.files.pop("audio.1.zip"))
    assert fetch(tmp_path / "corpus").code == 0
    assert [name for name, _ in file_server.asked] == ["audio.2.zip", "meta.zip"]


def test_mirror_is_asked_instead(fetch: Callable, tmp_path: Path, file_server: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(KNOWN, "tiny", replace(KNOWN["tiny"], url="http://127.0.0.1:9/{name}"))
    assert fetch(tmp_path / "corpus", "--mirror", f"{file_server.url}/copy/").code == 0
    assert "is no address" in one_line(fetch(tmp_path / "other", "--mirror", "zenodo.org"))


def test_damaged_archive_is_fetched_once_more(fetch: Callable, tmp_path: Path, file_server: Any) -> None:
    file_server.damaged = 1
    result = fetch(tmp_path / "corpus")
    assert result.code == 0, result.err
    assert "audio.1.zip: arrived damaged; fetching it once more" in result.err


def test_archive_that_is_always_damaged_is_neither_kept_nor_unpacked(
    fetch: Callable, tmp_path: Path, file_server: Any
) -> None:
    file_server.damaged = 50
    assert "arrived damaged twice" in one_line(fetch(tmp_path / "corpus"))
    assert [path.name for path in (tmp_path / "corpus").rglob("*")] == ["archives"]


def test_missing_archive_is_one_line(fetch: Callable, tmp_path: Path, file_server: Any) -> None:
    del file_server.files["audio.1.zip"]
    assert "HTTP 404" in one_line(fetch(tmp_path / "corpus"))
    assert not (tmp_path / "corpus").exists()


def test_no_connection_is_one_line_and_leaves_nothing(fetch: Callable, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = one_line(fetch(tmp_path / "corpus", "--mirror", mirror))
    assert "cannot be reached" in error
    assert str(tmp_path / "corpus" / "archives" / "audio.1.zip") in error
    assert not (tmp_path / "corpus").exists()


def test_disk_that_is_too_small_is_said_before_anything_is_asked_for(
    fetch: Callable, tmp_path: Path, file_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = sum(archive.size for archive in KNOWN["tiny"].archives)
    largest = max(archive.size for archive in KNOWN["tiny"].archives)
    usage = shutil.disk_usage(tmp_path)
    free = int(1.15 * sizes + largest) + 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    assert "GB are needed" in one_line(fetch(tmp_path / "corpus", "--keep-archives"))
    assert file_server.asked == []
    assert fetch(tmp_path / "corpus").code == 0, "without the archives it fits"


@pytest.mark.parametrize("used", ["folder", "file"])
def test_folder_in_use_is_left_alone(fetch: Callable, tmp_path: Path, used: str) -> None:
    folder = tmp_path / "mine"
    path = folder / "meta.csv" if used == "folder" else folder
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    assert "not empty" in one_line(fetch(folder))
    assert path.read_text() == "mine"


def test_tables_that_are_no_corpus_are_one_line(
    published: PublishedCorpus, cache: Path, tmp_path: Path, file_server: Any
) -> None:
    with pytest.raises(AscError, match="is in the layout of no corpus reader"):
        fetch_corpus(replace(published, archives=published.archives[:2]), tmp_path / "corpus", cache)


def test_unknown_corpus_is_named_with_the_nearest(asc: Callable, tmp_path: Path) -> None:
    error = one_line(asc("corpus", "fetch", "tau2022-mobil", tmp_path / "x"))
    assert "did you mean 'tau2022-mobile'?" in error


def test_published_corpus_is_complete() -> None:
    tau = published_corpus("tau2022-mobile")
    assert len({archive.name for archive in tau.archives}) == len({archive.checksum for archive in tau.archives}) == 17
    assert tau.archives[-1].name.endswith(".meta.zip")
    assert all(len(archive.checksum) == len("md5:") + 32 for archive in tau.archives)
    assert all(archive.name.startswith(f"{tau.top}.") for archive in tau.archives)
    assert json.dumps(tau.url.format(name="x.zip")) == '"https://zenodo.org/records/6337421/files/x.zip?download=1"'
