"""Which device recorded a file, as ``asc predict --device`` and ``--device-from`` say it, and ``Model.predict``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from asc_experiments.base.errors import AscError

if TYPE_CHECKING:
    from asc_experiments.training.network import SceneNetwork

_NAMED = 8


class Devices:
    """The device of each file, and what became of those that no network is for.

    Args:
        names: of the devices that the model has networks for.
        device: of all files; None where paths tell, or nothing does.
        pattern: whose group is the device's name in a path; None where that does not tell.
    """

    def __init__(self, names: tuple[str, ...], device: str | None, pattern: re.Pattern[str] | None) -> None:
        self.names, self.device, self.pattern = names, device, pattern
        self._without: dict[Path, str | None] = {}

    def __call__(self, path: Path) -> str | None:
        """The device that recorded a file; None where it is not known."""
        name = self.device
        if self.pattern is not None:
            found = self.pattern.search(path.as_posix())
            name = None if found is None else found[1]
        if self.names and name not in self.names:
            self._without[path] = name
        return name

    def told(self, files: int) -> str:
        """What is said of files that the general network answered for; empty where there are none, or no others."""
        if not self._without:
            return ""
        names = sorted({name for name in self._without.values() if name is not None})
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        whose = [f"of devices {', '.join(names[:_NAMED])}{more}"] if names else []
        whose += ["of unknown devices"] if None in self._without.values() else []
        networks = f"the model has networks for {', '.join(self.names)}"
        return f"{len(self._without)} of {files} files, {' and '.join(whose)}: the general network answered; {networks}"


def read_devices(network: SceneNetwork, model_uri: str, device: str | None, pattern: str | None) -> Devices:
    """What the options say.

    Args:
        network: that predicts.
        model_uri: where it is from, for errors.
        device: ``--device``.
        pattern: ``--device-from``.

    Raises:
        AscError: if both are given, the pattern is none, or the model has one network for all devices.
    """
    names = tuple(sorted(network.of_devices))
    if device is None and pattern is None:
        return Devices(names, None, None)
    if device is not None and pattern is not None:
        raise AscError("--device", "and --device-from are both given", "give one of them")
    option = "--device" if pattern is None else "--device-from"
    if not names:
        raise AscError(option, f"{model_uri} has one network for all devices", "omit it")
    if pattern is None:
        return Devices(names, device, None)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise AscError(f"--device-from {pattern}", f"is no regular expression ({error})", _EXAMPLE) from None
    if compiled.groups != 1:
        what = f"has {compiled.groups} groups in brackets; one is the device's name"
        raise AscError(f"--device-from {pattern}", what, _EXAMPLE)
    return Devices(names, None, compiled)


_EXAMPLE = r"write it as for airport-lisbon-1-2-s1.wav: '-([^-]+)\.wav$'"
