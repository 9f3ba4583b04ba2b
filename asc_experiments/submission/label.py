"""The label of a submission: ``Lastname_INST_task1_1``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asc_experiments.base.errors import AscError

_NAME = re.compile(r"[A-Z][A-Za-z]{0,40}_[A-Za-z]{1,20}_task1")
_MOST = 4
"""A team may hand in so many systems."""


@dataclass(frozen=True)
class Label:
    """Whose submission it is, and which of theirs.

    Attributes:
        name: last name of the corresponding author, institute and task: ``Lastname_INST_task1``.
        index: from 1 to 4.
    """

    name: str
    index: int

    def __post_init__(self) -> None:
        """Refuse what the organisers' scripts would not take.

        Raises:
            AscError: if the name or the index is none.
        """
        if not _NAME.fullmatch(self.name):
            raise AscError(f"--name {self.name}", "is no name of a submission", "write Lastname_INST_task1")
        if not 1 <= self.index <= _MOST:
            raise AscError(f"--index {self.index}", "is no number of a submission", f"give 1 to {_MOST}")

    def __str__(self) -> str:
        return f"{self.name}_{self.index}"
