"""What setup.cfg cannot say: the studies of this folder are part of the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["asc_experiments*"]), "asc_experiments.studies"],
    package_dir={"asc_experiments.studies": "studies"},
)
