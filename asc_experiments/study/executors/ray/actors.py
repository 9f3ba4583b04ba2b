"""The two actors of a Ray study: a driver's mail, and the claims that all drivers of a cluster share.

Both take no processor, hold next to nothing, and are plain classes until Ray makes actors of them.
"""

from __future__ import annotations

import asyncio
from typing import Any

_ANSWERS_WITHIN_S = 10.0


class Mail:
    """What trainings tell their driver. It lives as long as the driver does, by which others know that it is alive."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._owners: dict[str, str] = {}

    def begin(self, attempt: str, owner: str) -> None:
        """An attempt is made by this process."""
        self._owners[attempt] = owner

    def owner(self, attempt: str) -> str | None:
        """The process that made an attempt, which is forgotten; None if it had not begun."""
        return self._owners.pop(attempt, None)

    def say(self, line: str) -> None:
        """A training says this."""
        self._lines.append(line)

    def collect(self) -> list[str]:
        """What was said since the last time."""
        lines, self._lines = self._lines, []
        return lines

    def is_alive(self) -> bool:
        """Answers while the driver lives."""
        return True


class Claims:
    """Who has which teacher trained, across all drivers of one cluster."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, Any]] = {}

    async def take(self, name: str, driver: str, mail: Any) -> bool:
        """Claim a name for a driver, if nobody holds it or who does is dead; whether it is the driver's now."""
        holder = self._held.get(name)
        if holder is not None and holder[0] != driver and await _is_alive(holder[1]):
            return False
        if self._held.get(name) is not holder:  # somebody else took it meanwhile
            return False
        self._held[name] = (driver, mail)
        return True

    async def leave(self, name: str, driver: str) -> None:
        """Let go of a name."""
        if self._held.get(name, ("", None))[0] == driver:
            del self._held[name]


async def _is_alive(mail: Any) -> bool:
    from ray.exceptions import RayActorError

    try:
        return bool(await asyncio.wait_for(mail.is_alive.remote(), _ANSWERS_WITHIN_S))
    except RayActorError:
        return False
    except TimeoutError:  # it is busy, or its node is slow
        return True
