"""MLflow's server as `asc ui` starts it: a browser that comes for the first time finds the tables of trials.

Where a page begins, MLflow keeps in the browser alone, and no setting of its server changes: in the mode for language
models (GenAI), with an assistant's panel over a third of the table, and with columns that compare nothing. So the first
page brings a few lines of script that write better ones into the browser's storage where nothing stands there yet. What
a person chooses afterwards stands there, and stays. Of another version of MLflow, which keeps them under other names,
the lines change nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from asc_experiments.tracking.client.paging import PER_PAGE, every
from asc_experiments.tracking.ui.table_view import STATE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

APP = "asc-experiments"
"""The name of this server among those of the entry-point group ``mlflow.app``."""
_DEFAULTS = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "_mlflow_model_registry_promo_modal_dismissed_v1": True,
}
"""The mode; that the assistant has opened by itself already; that the registry has presented itself already."""
_TABLE = 'MLflowLocalStorage-1.1-ExperimentPage-["{id}"]-ReactComponentState'
_EVERY_RUN = {
    "startTime": "ALL", "lifecycleFilter": "Active", "datasetsFilter": [], "modelVersionFilter": "All Runs",
}  # fmt: skip
_MOST = 100
"""Experiments, newest first, whose tables are told."""
_NOT_PASSED_ON = (b"if-none-match", b"if-modified-since", b"accept-encoding", b"range")
_NOT_SENT = (b"content-length", b"etag", b"last-modified", b"cache-control", b"accept-ranges")


def create_app() -> ASGIApp:
    """MLflow's application with :class:`FirstVisit` in front."""
    from mlflow.server.fastapi_app import app

    app.add_middleware(FirstVisit)
    return app


class FirstVisit:
    """Adds the script to the page that MLflow's pages are all parts of.

    Args:
        app: the application that is asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] not in ("", "/") or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: dict[str, Any] = {}
        body: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                body.append(message.get("body", b""))

        asked = [(name, value) for name, value in scope["headers"] if name.lower() not in _NOT_PASSED_ON]
        await self.app({**scope, "headers": asked}, receive, collect)
        page = b"".join(body)
        if start.get("status") == 200:
            page = with_script(page, first_visit_script(await asyncio.to_thread(_tables)))
        sent = [(name, value) for name, value in start.get("headers", ()) if name.lower() not in _NOT_SENT]
        sent += [(b"content-length", str(len(page)).encode()), (b"cache-control", b"no-cache")]
        await send({**start, "headers": sent})
        await send({"type": "http.response.body", "body": page})


def with_script(page: bytes, script: str) -> bytes:
    """A page with a script before every other; as it is where it has no head."""
    return page.replace(b"<head>", f"<head><script>{script}</script>".encode(), 1)


def first_visit_script(tables: Iterable[tuple[str, str]]) -> str:
    """What writes into the browser's storage where nothing stands there.

    Args:
        tables: the id of each experiment of ours and the state of its page, JSON, as its tag has it.
    """
    values = {name: json.dumps(value) for name, value in _DEFAULTS.items()}
    for experiment_id, state in tables:
        with suppress(ValueError, TypeError):
            values[_TABLE.format(id=experiment_id)] = json.dumps({**_EVERY_RUN, **json.loads(state)})
    text = json.dumps(values).replace("<", "\\u003c")
    return (
        f"try {{ for (const [name, value] of Object.entries({text})) "
        "if (localStorage.getItem(name) === null) localStorage.setItem(name, value); } catch {}"
    )


def _tables() -> list[tuple[str, str]]:
    """The experiments that have a state; none where the database does not answer: the page comes anyway."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    with suppress(KeyError, MlflowException, SQLAlchemyError, OSError):
        client = MlflowClient(tracking_uri=os.environ["MLFLOW_BACKEND_STORE_URI"])
        found = every(lambda token: client.search_experiments(max_results=PER_PAGE, page_token=token))
        told = ((each.experiment_id, each.tags[STATE]) for each in found if STATE in each.tags)
        return list(islice(told, _MOST))
    return []
