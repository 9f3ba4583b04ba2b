"""optuna-dashboard on a study storage, for looking at trials in a browser."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from optuna.storages import BaseStorage
from werkzeug.exceptions import SecurityError
from werkzeug.serving import make_server
from werkzeug.wsgi import get_host

from asc_experiments.base.errors import AscError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
_TRUSTED = (HOST, "localhost")


@contextmanager
def dashboard(storage: BaseStorage, port: int) -> Iterator[str]:
    """Serve the dashboard on the loopback for the time of a block; its address.

    It reads and writes through the same lock as studies do, so that it may be open while they run. Requests that name
    another host are refused: a page somewhere in the web could make a browser send them.

    Args:
        storage: the studies'.
        port: on the loopback.

    Raises:
        AscError: if the port is taken.
    """
    from optuna_dashboard import wsgi

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line per request
    try:
        server = make_server(HOST, port, _for_this_host(wsgi(storage)), threaded=True)
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


def _for_this_host(application: WSGIApplication) -> WSGIApplication:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            get_host(environ, _TRUSTED)
        except SecurityError as refusal:
            return refusal(environ, start_response)
        return application(environ, start_response)

    return answer
