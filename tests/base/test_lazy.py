"""Packages import what is asked for, when it is."""

import subprocess
import sys

import pytest

from asc_experiments import augment, models, training


@pytest.mark.parametrize("package", [augment, models, training])
def test_package_has_what_it_says_and_nothing_else(package: object) -> None:
    assert all(getattr(package, name) is not None for name in package.__all__)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_recipe_does_not_wait_for_pytorch() -> None:
    code = "import sys; from asc_experiments.training import make_recipe; make_recipe('passt'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "asc_experiments.augment.settings" in loaded
    assert "torch" not in loaded
