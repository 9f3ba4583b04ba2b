"""The compiled operations: made for this processor by its C++ compiler when they are first needed, and kept."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import torch

from asc_experiments.base.errors import AscError

_SETTING = "ASC_FUSED"
_SOURCE = Path(__file__).with_name("kernels.cpp")
_FLAGS = [
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp",
    "-shared",
    "-fPIC",
]
_SECONDS = 300


def fused_training() -> ctypes.CDLL | None:
    """The operations; ``None`` on a processor without AVX-512, and with a warning where they cannot be compiled.

    ``ASC_FUSED=off`` in the environment does without them, say to compare.

    Raises:
        AscError: if ``ASC_FUSED`` is neither ``auto`` nor ``off``.
    """
    wanted = os.environ.get(_SETTING) or "auto"
    if wanted not in ("auto", "off"):
        raise AscError(f"{_SETTING}={wanted}", "is not known", "valid: auto, off")
    return None if wanted == "off" else _library()


@functools.cache
def _library() -> ctypes.CDLL | None:
    if platform.system() != "Linux" or not torch.cpu.get_capabilities().get("avx512_f"):
        return None  # with AVX2 alone they take as long as PyTorch's; elsewhere nothing was measured
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    reason = "there is no C++ compiler; install g++"
    if compiler is not None:
        try:
            return ctypes.CDLL(str(_compiled(compiler)))
        except subprocess.CalledProcessError as error:
            said = (error.stderr or "").strip().splitlines()
            reason = f"{compiler} failed" + (f" ({said[0]})" if said else "")
        except (OSError, subprocess.SubprocessError) as error:
            reason = str(error)
    warnings.warn(f"convolutional networks train in about twice the time: {reason}", RuntimeWarning, stacklevel=3)
    return None


def _compiled(compiler: str) -> Path:
    """The library of this source, compiler and processor, made if it is not there yet."""
    version = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True, timeout=60).stdout
    facts = (_SOURCE.read_text(), version, " ".join(_FLAGS), _processor())
    name = f"fused-{hashlib.sha256(chr(0).join(facts).encode()).hexdigest()[:16]}.so"
    problem = OSError("no folder to keep its fused operations in belongs to this user")
    for folder in _folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.getuid():  # a library that somebody else put there is not run
                continue
            if not (folder / name).exists():
                _compile(compiler, folder, name)
            return folder / name
        except OSError as error:
            problem = error
    raise problem


def _compile(compiler: str, folder: Path, name: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as made:  # processes that begin together do not see half a file
        path = Path(made) / name
        command = [compiler, *_FLAGS, str(_SOURCE), "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
        path.replace(folder / name)


def _folders() -> list[Path]:
    """Where the library may be kept, the best place first."""
    folders = [Path(tempfile.gettempdir()) / f"asc_experiments-{os.getuid()}"]
    with suppress(RuntimeError):  # a user of a container need not have a home
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folders.insert(0, Path(home) / "asc_experiments")
    return folders


def _processor() -> str:
    """What ``-march=native`` looks at: a home folder may be shared by several machines."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return "".join(next((line for line in lines if line.startswith(what)), "") for what in ("model name", "flags"))
