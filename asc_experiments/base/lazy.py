"""Packages that import what is asked for, when it is: what needs a Recipe alone does not wait for PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def importing(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: its name.
        modules: which of its modules each of its public names is in.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return get


def answer_as_function(package: str, module: str) -> None:
    """Let a package be called as the function of its own name that a module has.

    ``asc.study("quickstart")`` is a function of the Python API, and ``asc_experiments.study`` a package: Python sets a
    package's name in its parent to the package as soon as anything in it is imported.

    Args:
        package: its name; it is being imported.
        module: the module, imported at the first call.
    """

    class Answering(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return getattr(import_module(module), package.rpartition(".")[2])(*args, **kwargs)

    sys.modules[package].__class__ = Answering
