"""Listings of a tracking server, whole: it gives them in pages, and of most no more than a thousand entries a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

PER_PAGE = 1_000
"""The most that every listing of MLflow's gives at once."""


def every(page: Callable[[str | None], Any]) -> Iterator[Any]:
    """Every entry of a listing, in its order.

    Args:
        page: gives the page of a token, the first one for None, as MLflow's client does.
    """
    token: str | None = None
    while True:
        found = page(token)
        yield from found
        token = found.token
        if not token:
            return
