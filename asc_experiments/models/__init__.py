"""Frontends and networks equal to the published ones, and their complexity."""

from typing import TYPE_CHECKING

from asc_experiments.base.lazy import importing

if TYPE_CHECKING:
    from asc_experiments.models.architecture import Architecture, NetworkSettings, register_architecture
    from asc_experiments.models.architectures import ARCHITECTURES
    from asc_experiments.models.build import build_model
    from asc_experiments.models.complexity import Complexity, measure_complexity
    from asc_experiments.models.frontend import LogMel
    from asc_experiments.models.frontend_shape import FrontendShape

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Complexity",
    "FrontendShape",
    "LogMel",
    "NetworkSettings",
    "build_model",
    "measure_complexity",
    "register_architecture",
]
__getattr__ = importing(
    __name__,
    {
        "ARCHITECTURES": "architectures",
        "Architecture": "architecture",
        "Complexity": "complexity",
        "FrontendShape": "frontend_shape",
        "LogMel": "frontend",
        "NetworkSettings": "architecture",
        "register_architecture": "architecture",
        "build_model": "build",
        "measure_complexity": "complexity",
    },
)
