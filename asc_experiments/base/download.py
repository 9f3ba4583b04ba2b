"""Fetch a file over HTTP: it resumes where it was cut off, and is there only when its checksum is right.

What has arrived so far lies in ``<name>.part``; a file under its own name is whole. (Plain requests: pooch cannot
continue half a file, and keeps it under a random name, where a killed process leaves it.)
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests

from asc_experiments.base.errors import AscError, without_secrets
from asc_experiments.base.progress import progress, say

_PIECE = 1 << 16
_MB = 1_000_000
_TIMEOUTS_S = (10.0, 60.0)
"""To connect, and between two pieces."""
_WAITS_S = (1.0, 3.0, 9.0)
"""Before each new try; one that brings more starts the count anew."""
_MAY_PASS = (408, 429, 500, 502, 503, 504)
"""HTTP statuses of a server that is busy."""
_NO_ADDRESS = (
    requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL, requests.exceptions.MissingSchema,
)  # fmt: skip


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server.

    Attributes:
        url: its address.
        checksum: algorithm and hexadecimal digits: ``md5:8be1…``, ``sha256:3029…``.
    """

    url: str
    checksum: str

    def is_at(self, path: Path) -> bool:
        """Whether a file on this machine has the same content."""
        algorithm, _, digits = self.checksum.partition(":")
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest() == digits


def download(remote: RemoteFile, target: Path, title: str) -> Path:
    """Fetch a file, unless it is there already, whether fetched before or put there by hand.

    Only one process at a time may fetch a file.

    Args:
        remote: the file.
        target: where to; its folder is made when the first byte arrives.
        title: what the progress bar says.

    Returns:
        ``target``.

    Raises:
        AscError: if the server cannot be reached or lacks the file, if the connection keeps breaking off, if what
            arrives is damaged twice, or if it cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        if target.is_file():
            if remote.is_at(target):
                return target
            say(f"{target}: has another checksum than the published file; fetching it")
        for try_again in (True, False):  # a part of days ago may be what is damaged
            _receive(remote, part, target, title)
            if remote.is_at(part):
                part.replace(target)
                return target
            part.unlink()
            if try_again:
                say(f"{target.name}: arrived damaged; fetching it once more")
    except OSError as error:
        remedy = "free some space, or give a folder you may write to; the same command resumes"
        raise AscError(target, f"cannot be written ({error.strerror or error})", remedy) from None
    raise _error(remote, f"arrived damaged twice: it is not what {remote.checksum} names", target, "try again later")


def _receive(remote: RemoteFile, part: Path, target: Path, title: str) -> None:
    """Bring a part up to its whole length, continuing after connections that break off."""
    at_first = most = _size(part)
    failed = 0
    while True:
        try:
            _receive_once(remote, part, title)
            return
        except requests.RequestException as error:
            size = _size(part)
            failed = 1 if size > most else failed + 1
            most = max(most, size)
            _refuse_hopeless(error, remote, target, nothing_arrived=most == at_first)
            if failed > len(_WAITS_S):
                what = f"broke off {failed} times in a row at {size / _MB:.0f} MB"
                raise _error(remote, what, target, "give the same command again to resume from there") from None
        time.sleep(_WAITS_S[failed - 1])


def _receive_once(remote: RemoteFile, part: Path, title: str) -> None:
    """Append to a part what one answer brings; raises what requests raises."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(remote.url, headers=headers, stream=True, timeout=_TIMEOUTS_S) as answer:
        if have and answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to be fetched
        answer.raise_for_status()
        start = have if answer.status_code == HTTPStatus.PARTIAL_CONTENT else 0  # a server may ignore the range
        length = answer.headers.get("Content-Length", "")
        total = start + (int(length) if length.isascii() and length.isdigit() else 0)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file, progress(total // _MB, title, "MB", done=start // _MB) as advance:
            file.truncate(start)
            size = start
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
                full = (size + len(piece)) // _MB - size // _MB
                size += len(piece)
                if full:
                    advance(full)


def _refuse_hopeless(error: requests.RequestException, remote: RemoteFile, target: Path, nothing_arrived: bool) -> None:
    """Raise at once where another try would fail as well."""
    status = error.response.status_code if error.response is not None else None
    if isinstance(error, _NO_ADDRESS):
        raise _error(remote, "is no address of a file", target, "write http://… or https://…") from None
    if status is not None and status not in _MAY_PASS:
        raise _error(remote, f"the server answers with HTTP {status}", target, "check the address") from None
    if nothing_arrived and isinstance(error, requests.ConnectionError):
        what = f"cannot be reached ({type(error).__name__})"
        raise _error(remote, what, target, "check the connection and give the same command again") from None


def _error(remote: RemoteFile, what: str, target: Path, remedy: str) -> AscError:
    return AscError(without_secrets(remote.url), what, f"{remedy}, or put the file at {target} by hand")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
