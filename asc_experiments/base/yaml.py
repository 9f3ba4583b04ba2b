"""YAML, read safely, with numbers such as ``2e-3`` read as numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from asc_experiments.base.errors import AscError


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


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def parse_yaml(text: str, where: str) -> Any:
    """Parse a YAML text.

    Raises:
        AscError: if it is not valid YAML; names the line.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except (ValueError, KeyError, AttributeError, RecursionError) as error:  # an impossible value
        raise AscError(where, f"is not valid YAML ({error})", "mend it") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where} line {mark.line + 1}" if mark else where
        raise AscError(place, f"is not valid YAML ({getattr(error, 'problem', None) or error})", "mend it") from None


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        AscError: if it cannot be read or is not valid YAML.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
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
