"""YAML, read safely and within bounds, with numbers such as ``2e-3`` read as numbers.

No tag makes an object, and no small text makes a large value: aliases count as what they stand for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from asc_experiments.base.errors import AscError

_LONGEST_TEXT, _MOST_VALUES, _DEEPEST = 1_000_000, 100_000, 40
"""A text's characters, its values with aliases written out, and how deep they lie: more than any study has."""
_LARGEST_NUMBER, _LONGEST_NUMBER = 2**63 - 1, 100


class _Loader(yaml.SafeLoader):
    """A safe loader that reads ``2e-3`` as the number people mean, and refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the safe loader does, but no key may silently replace another."""
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.MarkedYAMLError(problem=f"key '{key}' stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """As the safe loader does; no number is longer than others can take."""
        too_long = len(str(node.value)) > _LONGEST_NUMBER
        number = 0 if too_long else int(super().construct_yaml_int(node))
        if too_long or abs(number) > _LARGEST_NUMBER:
            raise yaml.MarkedYAMLError(problem="a number is too large", problem_mark=node.start_mark)
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def parse_yaml(text: str, where: str) -> Any:
    """Parse a YAML text.

    Raises:
        AscError: if it is not valid YAML; names the line.
    """
    if len(text) > _LONGEST_TEXT:
        raise AscError(where, "is too long for YAML", f"write at most {_LONGEST_TEXT:,} characters")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {}, 0)
        return loader.construct_document(node)
    except RecursionError:
        raise AscError(where, "is not valid YAML (nested too deeply)", f"nest it at most {_DEEPEST} deep") from None
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:  # an impossible value
        raise AscError(where, f"is not valid YAML ({error})", "correct it") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where} line {mark.line + 1}" if mark else where
        raise AscError(place, f"is not valid YAML ({getattr(error, 'problem', None) or error})", "correct it") from None


def _measure(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """How many values a node holds with its aliases written out.

    Args:
        node: what the text was composed to; an alias is the very node that it stands for.
        known: the sizes of nodes measured before; -1 while one is being measured.
        depth: how deep the node lies.

    Raises:
        MarkedYAMLError: if there are too many values, they lie too deep, or a value holds itself.
    """
    size = known.get(id(node), 0)
    if size < 0 or depth >= _DEEPEST:
        problem = "a value holds itself" if size < 0 else f"values are nested more than {_DEEPEST} deep"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    if size:
        return size
    known[id(node)] = -1
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        inner = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    size = 1 + sum(_measure(part, known, depth + 1) for part in inner)
    if size > _MOST_VALUES:
        problem = f"it stands for more than {_MOST_VALUES:,} values"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    known[id(node)] = size
    return size


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        AscError: if it cannot be read or is not valid YAML.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return parse_yaml(file.read(_LONGEST_TEXT + 1), str(path))
    except FileNotFoundError:
        raise AscError(path, "no such file", "give the path of a YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise AscError(path, f"cannot be read ({error})", "give a UTF-8 text file") from None


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """``["epochs=20", "augment=fms"]`` as a mapping; values are read as YAML.

    Raises:
        AscError: if an entry has no ``=``.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, sign, text = assignment.partition("=")
        if not sign or not key:
            raise AscError(f"--set {assignment}", "is not of the form key=value", "write, for example, --set epochs=20")
        values[key.strip()] = parse_yaml(text, f"--set {key}")
    return values
