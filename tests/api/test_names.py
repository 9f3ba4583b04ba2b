"""The stable names: those that the reference lists, typed, and imported when they are asked for."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asc_experiments as asc

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/python-api.md").read_text()
HEAVY = {"mlflow", "numpy", "optuna", "pandas", "pydantic", "torch"}


def loaded_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_reference_lists_every_name_and_no_other() -> None:
    listed = re.findall(r"(?m)^\| `asc\.(\w+)` \|", REFERENCE)
    described = re.findall(r"heading: asc_experiments\.(\w+)$", REFERENCE, re.MULTILINE)
    assert sorted(listed) == sorted(described) == sorted(asc.__all__)


def test_type_checkers_see_every_name() -> None:
    tree = ast.parse(Path(asc.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    assert {alias.name for node in ast.walk(guarded) if isinstance(node, ast.ImportFrom) for alias in node.names} == {
        *asc.__all__
    }


def test_every_name_is_there_and_nothing_else() -> None:
    assert all(callable(getattr(asc, name)) for name in asc.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        asc.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    assert not HEAVY & loaded_after("import asc_experiments")
    assert not HEAVY & loaded_after("import asc_experiments as asc; asc.workspace().study('a'); asc.AscError; asc.Bank")


@pytest.mark.parametrize(
    "before", ["pass", "import asc_experiments.study.definition", "from asc_experiments import study"]
)
def test_study_is_called_whether_or_not_its_package_was_imported(before: str) -> None:
    assert loaded_after(f"{before}; import asc_experiments as asc; assert asc.study('a').name == 'a'")
