"""The wheel and the source distribution hold what they must, and run outside of a clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import asc_experiments
from release.build import ROOT, build, copy_sources, sdist_faults, wheel_faults
from release.check import install

STUDIES = {path.name for path in (ROOT / "studies").glob("*.yaml")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and source distribution of a copy of this clone, which first gets what must stay out."""
    folder = tmp_path_factory.mktemp("release")
    copy_sources(folder / "sources")
    (folder / "sources" / "studies" / "optuna.journal").write_text("somebody's trials")
    (folder / "sources" / "mlruns" / "mlflow.db").write_text("somebody's runs")
    return build(folder / "sources", folder / "dist", isolated=False)


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, beside the packages of this one."""
    return install(built[0], tmp_path_factory.mktemp("environment") / "venv", quick=True)


def outside(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def test_wheel_holds_the_program_and_its_studies_and_nothing_else(built: tuple[Path, Path]) -> None:
    assert wheel_faults(built[0], asc_experiments.__version__, STUDIES) == []


def test_source_distribution_holds_what_tests_and_builds_need(built: tuple[Path, Path]) -> None:
    assert sdist_faults(built[1], STUDIES) == []


def test_studies_in_the_wheel_are_those_of_the_clone(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as opened:
        for name in STUDIES:
            assert opened.read(f"asc_experiments/studies/{name}") == (ROOT / "studies" / name).read_bytes()


def test_faults_of_a_wheel_are_found(built: tuple[Path, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.whl"
    with zipfile.ZipFile(built[0]) as good, zipfile.ZipFile(broken, "w") as bad:
        for name in good.namelist():
            if not name.endswith(("quickstart.yaml", "py.typed", "LICENSE", "entry_points.txt")):
                bad.writestr(name, good.read(name))
        bad.writestr("asc_experiments/studies/optuna.journal", "")
        bad.writestr("tests/test_x.py", "")
    faults = wheel_faults(broken, "9.9.9", STUDIES)
    for expected in (
        "lacks asc_experiments/py.typed", "lacks the study quickstart.yaml", "lacks the licence",
        "lacks the command asc",
        "holds asc_experiments/studies/optuna.journal", "holds tests/",
        f"is version {asc_experiments.__version__}, and asc_experiments.__version__ is 9.9.9",
    ):  # fmt: skip
        assert expected in faults


def test_installed_program_runs_outside_of_the_clone_and_knows_its_version(installed: Path, tmp_path: Path) -> None:
    place = outside([installed, "-c", "import asc_experiments; print(asc_experiments.__file__)"], tmp_path)
    assert Path(place.stdout.strip()).is_relative_to(installed.parents[1]), place
    told = outside([installed.with_name("asc"), "--version"], tmp_path)
    assert told.stdout.split() == ["asc_experiments", asc_experiments.__version__], told.stderr


def test_installed_program_finds_its_studies_by_name(installed: Path, tmp_path: Path) -> None:
    """The study is read and checked before the corpus, which is none."""
    done = outside([installed.with_name("asc"), "study", "plan", "quickstart", "--corpus", "nowhere"], tmp_path)
    taken, error = done.stderr.splitlines()
    assert taken == "quickstart: taking the study that comes with asc_experiments"
    assert error.startswith("error: nowhere: no such folder")


def test_stored_models_take_their_code_from_the_installed_package(installed: Path, tmp_path: Path) -> None:
    """What a registered model carries is read from the package's folder, wherever that is."""
    code = (
        "from pathlib import Path; from asc_experiments.tracking.registry.network_store import copy_code\n"
        "print(sum(1 for _ in copy_code(Path('.')).rglob('*.py')))"
    )
    done = outside([installed, "-c", code], tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_version_stands_in_one_place() -> None:
    done = subprocess.run(
        ["git", "grep", "-lF", f'"{asc_experiments.__version__}"', "--", "*.py", "*.cfg", "*.toml"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.split() == ["asc_experiments/__init__.py"]
    assert f"## [{asc_experiments.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
    assert sys.version_info >= (3, 11)
