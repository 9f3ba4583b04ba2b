"""Joining a Ray cluster, or starting one for a single study: quietly, without telemetry, refused in one line."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asc_experiments.base.errors import AscError
from asc_experiments.base.processors import processors
from asc_experiments.base.progress import say

_ANSWERS_WITHIN_S = 5.0


def join(address: str | None) -> Any:
    """Join a cluster, the one that runs on this machine by default, else one that is started for this process alone.

    Returns:
        The module ``ray``.

    Raises:
        AscError: if Ray is not installed, or no cluster answers there or lets this process in.
    """
    if importlib.util.find_spec("ray") is None:
        raise AscError("--executor ray", "Ray is not installed", "pip install 'asc_experiments[ray]'")
    if address and address.startswith("ray://"):
        what = "is an address of Ray Client, whose tasks end with its connection"
        raise AscError(f"--ray-address {address}", what, "run asc on a node of the cluster and give auto or HOST:6379")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the behaviour to come; else Ray warns
    ours = signal.getsignal(signal.SIGTERM)
    ray = importlib.import_module("ray")
    try:
        _init(ray, _find(address))
    except AscError:
        raise
    except Exception as error:  # Ray raises bare ones too
        reason = str(error).strip().splitlines()[0][:200]
        remedy = "give RAY_AUTH_MODE and the token that it was started with; `ray status` may say more"
        raise AscError("the Ray cluster", f"cannot be joined ({reason})", remedy) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)  # importing ray and joining a cluster each put in one of Ray's
    # What node managers die of is printed on standard output, where --json belongs; no setting of Ray prevents it.
    vars(importlib.import_module("ray._private.worker"))["print_to_stdstream"] = lambda *_, **__: None
    return ray


def _find(address: str | None) -> str | None:
    """The address of the cluster to join, as HOST:PORT; None to start one.

    Raises:
        AscError: if one was named and does not answer. (Ray would try for minutes.)
    """
    services = importlib.import_module("ray._private.services")
    named = address or os.environ.get("RAY_ADDRESS")
    try:
        found = services.canonicalize_bootstrap_address(named or "auto")
    except ValueError:
        raise AscError(f"--ray-address {named}", "is no address", "write HOST:PORT, such as head:6379") from None
    if found is not None:
        host, _, port = found.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_WITHIN_S).close()
            return str(found)
        except OSError:
            pass  # also where the last cluster of this machine was killed
    if named:
        raise AscError(f"--ray-address {named}", "no Ray cluster answers there", "start one: ray start --head")
    return None


def _init(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "asc", "ignore_reinit_error": True}
    if address is None:
        say("no Ray cluster runs here: one is started for this study, on this machine")
        ray.init("local", num_cpus=processors(), include_dashboard=False, **quiet)
    else:
        with _silence():
            ray.init(address, **quiet)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep off the terminal what Ray's native code says, such as a warning a second where a token is missing.

    No setting of Ray does that, and the error that is raised in the end tells all that a person needs.
    """
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
