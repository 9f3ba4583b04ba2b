"""The files of the server stack keep its rules: pinned, not root, healthy, no secret committed, on the loopback."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).parents[2] / "docker"
BIN = Path(sys.executable).parent
DOCKERFILES = ("Dockerfile", "Dockerfile.store")
SECRETS = {
    "POSTGRES_PASSWORD", "MLFLOW_DATABASE_PASSWORD", "OPTUNA_DATABASE_PASSWORD", "MLFLOW_ADMIN_PASSWORD",
    "MLFLOW_SECRET_KEY", "STORE_RPC_SECRET", "STORE_ACCESS_KEY", "STORE_SECRET_KEY",
}  # fmt: skip
SERVERS = {"database", "store", "mlflow", "dashboard"}
TEXT = (DOCKER / "compose.yaml").read_text()
Compose = Callable[[Mapping[str, str]], dict[str, Any]]


@pytest.fixture
def services(compose: Compose) -> dict[str, Any]:
    return compose(dict.fromkeys(SECRETS, "x"))["services"]


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", *(str(DOCKER / name) for name in DOCKERFILES)],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DOCKER / "compose.yaml")],
    ],
    ids=["dockerfiles", "compose"],
)
def test_linters_find_nothing(command: list[str]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_stack_without_a_secret_does_not_start_and_says_what_to_do(compose: Compose, missing: str) -> None:
    given = dict.fromkeys(SECRETS - {missing}, "x")
    with pytest.raises(Exception, match=rf"required variable {missing} is missing a value: run .*new_secrets\.sh"):
        compose(given)


def test_no_secret_stands_in_a_file() -> None:
    for key, value in re.findall(r"^\s+(\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*): (.+)$", TEXT, re.MULTILINE):
        assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), key
    example = (DOCKER / ".env.example").read_text()
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in SECRETS)
    auth = ConfigParser()
    auth.read(DOCKER / "basic_auth.ini")
    assert not any("password" in key for key in auth["mlflow"])


def test_every_variable_is_explained_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", TEXT))
    explained = set(re.findall(r"^#?(\w+)=", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    assert used == explained


def test_new_secrets_are_for_their_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    script = tmp_path / "new_secrets.sh"
    script.write_text((DOCKER / "new_secrets.sh").read_text())
    subprocess.run(["sh", script], check=True, capture_output=True)
    written = tmp_path / ".env"
    values = dict(line.split("=") for line in written.read_text().splitlines())
    assert set(values) == SECRETS
    assert len(set(values.values())) == len(values)
    assert all(len(value) >= 34 for value in values.values())
    assert written.stat().st_mode & 0o077 == 0
    assert re.fullmatch(r"GK[0-9a-f]{32}", values["STORE_ACCESS_KEY"])
    before = written.read_text()
    again = subprocess.run(["sh", script], check=False, capture_output=True, text=True)
    assert (again.returncode, written.read_text()) == (1, before)
    assert "is there already" in again.stderr


def test_services_are_published_on_the_loopback_unless_a_variable_opens_them(
    compose: Compose, services: dict[str, Any]
) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)
    opened = compose(dict.fromkeys(SECRETS, "x") | {"STACK_BIND": "10.0.0.1"})["services"]
    assert opened["mlflow"]["ports"] == ["10.0.0.1:5000:5000"]
    assert opened["dashboard"]["ports"] == ["127.0.0.1:8080:8080"], "it has no passwords"
    assert not any("network_mode" in service for service in services.values())


def test_no_service_is_root_or_may_become_it(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["user"] in ("postgres", "10001:10001"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
    for name in DOCKERFILES:
        stages = re.split(r"(?m)^FROM ", (DOCKER / name).read_text())[1:]
        shipped = [stage for stage in stages if " AS " not in stage.splitlines()[0] or "USER " in stage]
        assert shipped
        assert all(re.findall(r"(?m)^USER (.+)$", stage)[-1] == "10001:10001" for stage in shipped)


def test_images_are_pinned_by_a_full_version(services: dict[str, Any]) -> None:
    ours = {service["image"] for service in services.values() if "build" in service}
    foreign = {service["image"] for service in services.values()} - ours
    for name in DOCKERFILES:
        text = (DOCKER / name).read_text()
        stages = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", text))
        foreign |= set(re.findall(r"(?m)^FROM (\S+)", text)) - stages
    assert len(foreign) == 4
    for image in foreign:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-|$)", image), image


def test_servers_have_health_checks_and_are_waited_for(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "profiles" not in service} == SERVERS
    assert all(services[name]["healthcheck"]["test"] for name in (*SERVERS, "ray-head"))
    for service in services.values():
        waited = service.get("depends_on", {})
        assert all(how == {"condition": "service_healthy"} for how in waited.values())
    assert set(services["mlflow"]["depends_on"]) == {"database", "store"}
    assert set(services["driver"]["depends_on"]) == {"database", "mlflow"}


def test_volumes_are_declared_and_mounted_files_exist() -> None:
    compose = yaml.safe_load(TEXT)
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DOCKER / source).is_file()
            elif not source.startswith("$"):
                assert source in compose["volumes"]


def test_gpu_variants_differ_in_image_and_device_alone(compose: Compose) -> None:
    indexes = {"TORCH_CPU_INDEX": "cpu", "TORCH_GPU_INDEX": "cuda"}
    services = compose(dict.fromkeys(SECRETS, "x") | indexes)["services"]
    for plain, gpu in (("driver", "driver-gpu"), ("ray-worker", "ray-worker-gpu")):
        differing = {key for key in services[gpu] if services[gpu][key] != services[plain].get(key)}
        assert differing == {"image", "build", "deploy", "profiles"}


def test_layer_of_packages_depends_on_no_code() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    assert text.index("--requirement program.txt") < text.index("COPY asc_experiments")
    command = [sys.executable, DOCKER / "requirements.py", DOCKER.parent / "setup.cfg", "", "server"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    config = ConfigParser()
    config.read(DOCKER.parent / "setup.cfg")
    for part in (config["options"]["install_requires"], config["options.extras_require"]["server"]):
        assert set(part.split()) <= set(listed)
    unknown = subprocess.run([*command[:3], "nothing"], check=False, capture_output=True)
    assert unknown.returncode != 0


def test_build_is_sent_only_what_it_copies() -> None:
    for name in DOCKERFILES:
        ignore = (DOCKER / f"{name}.dockerignore").read_text().splitlines()
        assert "*" in ignore
        sent = [line[1:] for line in ignore if line.startswith("!")]
        assert not any(line.startswith(("docker/.env", ".env", "docker/*")) for line in sent)
        copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", (DOCKER / name).read_text())
        for path in " ".join(copied).split():
            assert any(each == path or each.startswith(f"{path}/") for each in sent), path
