"""The name under which models stored before the package had rooms ask for their loader."""

from asc_experiments.tracking.registry.pyfunc_model import _load_pyfunc

__all__ = ["_load_pyfunc"]
