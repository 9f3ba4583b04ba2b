"""The architectures that there are: those of the published systems, and those of installed packages."""

from asc_experiments.models.architecture import ARCHITECTURES, Architecture
from asc_experiments.models.architectures import cp_mobile, cp_mobile_2024, cp_resnet, passt

__all__ = ["ARCHITECTURES", "Architecture", "cp_mobile", "cp_mobile_2024", "cp_resnet", "passt"]

ARCHITECTURES.load_outside()
