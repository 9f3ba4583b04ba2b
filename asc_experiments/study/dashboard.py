"""optuna-dashboard on a study storage, for looking at trials in a browser."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from optuna.storages import BaseStorage
from werkzeug.serving import make_server

from asc_experiments.base.errors import AscError

HOST = "127.0.0.1"


@contextmanager
def dashboard(storage: BaseStorage, port: int) -> Iterator[str]:
    """Serve the dashboard on the loopback for the time of a block; its address.

    It reads and writes through the same lock as studies do, so that it may be open while they run.

    Args:
        storage: the studies'.
        port: on the loopback.

    Raises:
        AscError: if the port is taken.
    """
    from optuna_dashboard import wsgi

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line per request
    try:
        server = make_server(HOST, port, wsgi(storage), threaded=True)
    except (OSError, SystemExit):  # werkzeug prints and exits where a port is taken
        raise AscError(f"port {port}", "is in use", "give another: asc ui --optuna-port 8081") from None
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/dashboard/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
