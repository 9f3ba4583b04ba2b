"""What the tests of moving share: the study that moves, where it lives, and the program as a person runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asc_experiments.cli.main import app

Facts = Callable[..., dict]

HOME_STUDY = """
name: tiny
description: A study that moves.
trials: 2
sampler: random
validation: {fraction: 0.3}
pruner: none
ensemble:
  size: [1, 2]
  common: {epochs: 1, batch_size: 64}
  pool:
    - {arch: cp_mobile, base_channels: 8, augment: [none, fms]}
student: {base_channels: 8, epochs: 2, batch_size: 64}
"""


def command(*arguments: object) -> None:
    """Carry out a command of the program in this process; it raises what goes wrong."""
    app([str(argument) for argument in arguments], standalone_mode=False)


@dataclass(frozen=True)
class Home:
    """A workspace with a finished study ``tiny``, its student registered; not to be changed."""

    workspace: Path
    corpus: Path
    study: Path
