"""Many problems on one screen: those of a kind together, each kind with examples and how many more there are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from asc_experiments.base.errors import Problem

_MOST_LINES, _EXAMPLES = 12, 3
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\S*/\S*|\S+\.\w{2,4}\b|\d[\d.,]*")
"""What differs between problems of one kind: quoted names, paths, files, numbers."""


def in_a_screen(problems: Sequence[Problem]) -> list[str]:
    """The lines that tell of problems: all of them where they are few, else examples of each kind and its count.

    Args:
        problems: in the order in which they are told.
    """
    if len(problems) <= _MOST_LINES:
        return [f"problem: {problem.line()}" for problem in problems]
    kinds: defaultdict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[_VARIES.sub("*", problem.where), _VARIES.sub("*", problem.what)].append(problem)
    groups = sorted(kinds.values(), key=len, reverse=True)
    room = len(groups) if len(groups) <= _MOST_LINES else _MOST_LINES - 1
    shown, others = groups[:room], groups[room:]
    examples = max(1, min(_EXAMPLES, _MOST_LINES // len(shown) - 1))
    lines = []
    for group in shown:
        lines += [f"problem: {problem.line()}" for problem in group[:examples]]
        if len(group) > examples:
            more = f"{len(group) - examples:,} more like it"
            lines[-1:] = [f"{lines[-1]} (and {more})"] if examples == 1 else [lines[-1], f"… and {more}"]
    if others:
        lines.append(f"… and {sum(map(len, others)):,} problems of {len(others)} other kinds")
    return lines
