"""The architectures that there are: those of the published systems, and those of installed packages."""

from asc_experiments.models.architecture import ARCHITECTURES, Architecture, architecture, load_outside
from asc_experiments.models.architectures import cp_mobile, cp_resnet, passt

__all__ = ["ARCHITECTURES", "Architecture", "architecture", "cp_mobile", "cp_resnet", "passt"]

load_outside()
