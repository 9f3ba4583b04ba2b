"""Names of metrics, as the tracking server, study files and reports have them, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

OVERALL, MACRO, DEVICE, GROUP, SCENE = "overall", "macro", "device", "group", "scene"
"""Parts of the clips. ``macro`` is the mean over the scenes; the last three have a name: ``group/unseen``."""
VALIDATION, ENSEMBLE, STD, REPLICATION = "validation", "ensemble", "std", "replicated"
GENERAL, GAIN = "general", "gain"
PREFIXES = (VALIDATION, ENSEMBLE, STD, REPLICATION, GENERAL, GAIN, "difference")
"""What stands before a metric that is not of the test fold, of the network itself, or a mean over its students.

``general`` is of the student for all devices that a student with networks for devices was made of, and ``gain`` what
those networks gain over it; the ends of its interval are ``gain/low/…`` and ``gain/high/…``."""
TARGETS = "targets"
"""What stands before that which a student learned from, on the training clips."""


@dataclass(frozen=True)
class MetricKey:
    """The name of one number.

    Attributes:
        name: the metric's.
        part: which clips: ``overall``, ``macro``, ``device``, ``group``, ``scene``; empty for a metric of all devices
            together, such as ``device_generalization``.
        member: which device, group or scene.
        prefix: ``validation``, ``replicated/std``, …; empty for the test fold.

    Examples:
        >>> str(MetricKey("accuracy", "group", "unseen"))
        'accuracy/group/unseen'
        >>> MetricKey.parse("validation/accuracy/device/s4").member
        's4'
    """

    name: str
    part: str = OVERALL
    member: str = ""
    prefix: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.prefix, self.name, self.part, self.member)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that a text is; of any text one that gives it back."""
        words = text.split("/")
        n = 0
        while n < len(words) - 1 and words[n] in PREFIXES:
            n += 1
        part = words[n + 1] if len(words) > n + 1 else ""
        return cls(words[n], part, "/".join(words[n + 2 :]), "/".join(words[:n]))

    def of(self, part: str, member: str = "") -> Self:
        """The same metric of other clips."""
        return replace(self, part=part, member=member)

    def on(self, prefix: str) -> Self:
        """The same under a prefix, in place of the one it has."""
        return replace(self, prefix=prefix)

    @property
    def clips(self) -> str:
        """Which clips, as the name ends: ``macro``, ``device/s4``."""
        return "/".join(filter(None, (self.part, self.member)))

    @property
    def start(self) -> str:
        """What the names of its members begin with, such as ``accuracy/device/``."""
        return f"{self}/"

    def members(self, names: Iterable[str]) -> dict[str, str]:
        """Those of some names that are of its members, by member, in the order that they came in.

        Args:
            names: of metrics.

        Examples:
            >>> MetricKey("accuracy", "device").members(["accuracy/overall", "accuracy/device/s4"])
            {'s4': 'accuracy/device/s4'}
        """
        start = self.start
        return {name.removeprefix(start): name for name in names if name.startswith(start)}


ACCURACY, LOSS, ECE, ENTROPY = MetricKey("accuracy"), MetricKey("loss"), MetricKey("ece"), MetricKey("entropy")
AGREEMENT, DISAGREEMENT = MetricKey("agreement"), MetricKey("disagreement")
"""Metrics that the program itself asks for, over all clips."""
OVERALL_ACCURACY, OVERALL_LOSS, OVERALL_ECE = str(ACCURACY), str(LOSS), str(ECE)
MACRO_ACCURACY, UNSEEN_ACCURACY = str(ACCURACY.of(MACRO)), str(ACCURACY.of(GROUP, "unseen"))
VALIDATION_ACCURACY, ENSEMBLE_ACCURACY = str(ACCURACY.on(VALIDATION)), str(ACCURACY.on(ENSEMBLE))
DG = "device_generalization"
TARGETS_ENTROPY, TARGETS_ACCURACY = f"{TARGETS}/entropy", f"{TARGETS}/accuracy"
"""Names that the program itself asks for."""


def accuracy_of(part: str, member: str = "") -> str:
    """The name of the accuracy of some clips, such as ``accuracy/device/s4``."""
    return str(ACCURACY.of(part, member))
