"""Frontends and networks equal to the published ones, and their complexity."""

from typing import TYPE_CHECKING

from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.models.build import ARCHITECTURES, build_model
    from asc_experiments.models.complexity import Complexity, measure_complexity
    from asc_experiments.models.frontend import LogMel

__all__ = ["ARCHITECTURES", "Complexity", "LogMel", "build_model", "measure_complexity"]
__getattr__ = importing(
    __name__,
    {
        "ARCHITECTURES": "build",
        "Complexity": "complexity",
        "LogMel": "frontend",
        "build_model": "build",
        "measure_complexity": "complexity",
    },
)
