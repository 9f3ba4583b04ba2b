"""``asc teacher show``, ``export``, ``import`` and ``prune`` through the command line."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from asc_experiments.distill import TeacherBank, TrainingContext
from asc_experiments.distill.teacher_archive import TeacherFile
from asc_experiments.models import build_model
from asc_experiments.tracking import Tracking
from asc_experiments.training import make_recipe

KEY_LENGTH = 16
DAY_S = 86_400


def error_of(result: object) -> str:
    """The one line that a refused command prints."""
    assert result.code == 2, result.err
    lines = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.err
    assert "Traceback" not in result.err
    return lines[0]


def runs_in(workspace: Path) -> int:
    if not (workspace / "mlruns" / "mlflow.db").exists():
        return 0
    tracking = Tracking.open(workspace)
    return sum(len(tracking.search([e.experiment_id])) for e in tracking.client.search_experiments())


@pytest.fixture
def bank(open_bench: Callable[..., TrainingContext]) -> TeacherBank:
    return TeacherBank(open_bench().tracking)


@pytest.fixture
def teach(open_bench: Callable[..., TrainingContext], bank: TeacherBank) -> Callable[..., str]:
    """Train a tiny teacher; its key."""

    def train(seed: int = 0) -> str:
        recipe = make_recipe("cp_mobile", base_channels=8, epochs=1, batch_size=64, seed=seed)
        return bank.get(recipe, open_bench()).key

    return train


@pytest.fixture
def learn(tracking: Tracking) -> Callable[..., str]:
    """Leave a run of somebody who learned from teachers; its id."""

    def run(*keys: str, status: str = "FINISHED", owner: str = "", name: str = "trial 3") -> str:
        tags = {"asc.kind": "trial"} | ({"asc.teachers": ",".join(keys)} if keys else {})
        tags |= {"asc.owner": owner} if owner else {}
        client = tracking.client
        created = client.create_run(tracking.experiment("some-study"), run_name=name, tags=tags)
        if status != "RUNNING":
            client.set_terminated(created.info.run_id, status)
        return str(created.info.run_id)

    return run


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save(build_model("cp_resnet", base_channels=10).state_dict(), tmp_path / "cpr_dirfms_1.pt")
    return tmp_path / "cpr_dirfms_1.pt"


def test_show_tells_recipe_devices_and_who_learned_from_it(
    asc: Callable, workspace: Path, teach: Callable, learn: Callable
) -> None:
    key = teach()
    run_id = learn("0" * KEY_LENGTH, key)
    facts = json.loads(asc("teacher", "show", key[:6], "--workspace", workspace, "--json").out)
    assert facts["key"] == key
    assert facts["recipe"]["network"]["base_channels"] == 8
    assert facts["split"]["fraction"] == 0.3
    assert facts["metrics"]["accuracy/device/s5"] >= 0
    assert facts["logits"] == f"runs:/{facts['run_id']}/logits/logits.npz"
    assert facts["model"].startswith("models:/m-")
    use = {"name": "trial 3", "experiment": "some-study", "status": "FINISHED", "run_id": run_id}
    assert facts["used_by"] == [use]
    shown = asc("teacher", "show", key, "--workspace", workspace)
    assert shown.code == 0, shown.err
    for part in ("base_channels=8", "fraction=0.3", "trial 3 of some-study (finished)", "s5", "held out"):
        assert part in shown.out


def test_exported_teacher_is_the_same_in_another_workspace(
    asc: Callable, workspace: Path, teach: Callable, bank: TeacherBank, tmp_path: Path
) -> None:
    key = teach()
    folder, elsewhere = tmp_path / "exported" / "one", tmp_path / "elsewhere"
    exported = asc("teacher", "export", key, "-o", folder, "--workspace", workspace)
    assert exported.code == 0, exported.err
    names = {"teacher.json", "network.json", "weights.safetensors", "logits.npz"}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in folder.parent.iterdir()] == ["one"], "nothing temporary is left"
    about = json.loads((folder / "teacher.json").read_text())
    assert (about["key"], about["recipe"]["network"]["arch"]) == (key, "cp_mobile")
    assert about["scorecard"]["accuracy/overall"] == bank.named(key).metrics["accuracy/overall"]

    for _ in range(2):
        imported = asc("teacher", "import", folder, "--workspace", elsewhere, "--json")
        assert imported.code == 0, imported.err
        assert json.loads(imported.out)["key"] == key
    assert runs_in(elsewhere) == 1
    original, copy = bank.named(key), TeacherBank(Tracking.open(elsewhere)).named(key)
    assert copy.recipe == original.recipe
    assert copy.split == original.split
    assert copy.metrics == original.metrics
    assert copy.record.params == original.record.params
    assert copy.logits.filenames == original.logits.filenames
    np.testing.assert_array_equal(copy.logits.values, original.logits.values)
    again = tmp_path / "again"
    assert asc("teacher", "export", key, "-o", again, "--workspace", elsewhere).code == 0
    for name in names:
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_export_never_replaces_what_is_not_an_exported_teacher(
    asc: Callable, workspace: Path, teach: Callable, tmp_path: Path
) -> None:
    where = ("--workspace", workspace)
    one, two = teach(0), teach(1)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert asc("teacher", "export", one, "-o", folder, *where).code == 0, "an empty folder is taken"
    assert "is not empty" in error_of(asc("teacher", "export", two, "-o", folder, *where))
    assert asc("teacher", "export", two, "-o", folder, "--force", *where).code == 0
    assert json.loads((folder / "teacher.json").read_text())["key"] == two
    (folder / "thesis.tex").write_text("years of work")
    assert "something else" in error_of(asc("teacher", "export", one, "-o", folder, "--force", *where))
    assert (folder / "thesis.tex").read_text() == "years of work"
    assert "is no folder" in error_of(asc("teacher", "export", one, "-o", folder / "thesis.tex", "--force", *where))


def change(name: str) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return flip


def foreign_key(folder: Path) -> None:
    """Somebody else's key, with a checksum that fits."""
    about = TeacherFile.model_validate_json((folder / "teacher.json").read_text())
    changed = about.model_copy(update={"key": "0" * KEY_LENGTH})
    (folder / "teacher.json").write_text(changed.written())


def other_key(folder: Path) -> None:
    about = json.loads((folder / "teacher.json").read_text())
    (folder / "teacher.json").write_text(json.dumps(about | {"key": "0" * KEY_LENGTH}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("weights.safetensors"), "weights.safetensors: is missing or damaged"),
        (change("logits.npz"), "logits.npz: is missing or damaged"),
        (lambda folder: (folder / "network.json").unlink(), "network.json: is missing or damaged"),
        (lambda folder: (folder / "teacher.json").unlink(), "holds no teacher.json"),
        (lambda folder: (folder / "teacher.json").write_text("{"), "teacher.json: cannot be read"),
        (other_key, "was changed since it was written"),
        (foreign_key, "its key does not belong to what it describes"),
    ],
    ids=["weights", "logits", "no network", "no description", "no json", "key", "foreign key"],
)
def test_damaged_export_is_refused_and_leaves_nothing(
    asc: Callable, workspace: Path, teach: Callable, tmp_path: Path, damage: Callable, message: str
) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    assert asc("teacher", "export", teach(), "-o", folder, "--workspace", workspace).code == 0
    damage(folder)
    assert message in error_of(asc("teacher", "import", folder, "--workspace", elsewhere))
    assert not elsewhere.exists()


def test_import_of_weights_and_of_logits(
    asc: Callable, synth_corpus: Path, workspace: Path, weights: Path, tmp_path: Path
) -> None:
    where = ("--corpus", synth_corpus, "--workspace", workspace, "--json")
    as_published = ("--arch", "cp_resnet", "--augment", "dirfms", "--seed", 1, "--validation", 0.3)
    first = asc("teacher", "import", weights, *as_published, *where)
    assert first.code == 0, first.err
    facts = json.loads(first.out)
    assert (facts["name"], facts["imported"]) == ("cpr_dirfms_1", "cpr_dirfms_1.pt")
    again = asc("teacher", "import", weights, *as_published, *where)
    assert "already in the bank" in again.err
    assert json.loads(again.out) == facts

    torch.save(torch.rand(200, 10).half(), tmp_path / "ensemble_logits.pt")
    logits = asc("teacher", "import", tmp_path / "ensemble_logits.pt", "--logits", "--name", "the winner's", *where)
    assert logits.code == 0, logits.err
    assert json.loads(logits.out)["name"] == "the winner's"
    listed = asc("teacher", "list", "--workspace", workspace).out
    for part in ("cpr_dirfms_1.pt", "ensemble_logits.pt", "the winner's"):
        assert part in listed
    shown = asc("teacher", "show", json.loads(logits.out)["key"], "--workspace", workspace)
    assert shown.code == 0, shown.err


def test_imported_teacher_can_be_carried_elsewhere(
    asc: Callable, synth_corpus: Path, workspace: Path, tmp_path: Path
) -> None:
    torch.save(torch.rand(200, 10), tmp_path / "ensemble_logits.pt")
    where = ("--corpus", synth_corpus, "--workspace", workspace)
    imported = asc("teacher", "import", tmp_path / "ensemble_logits.pt", "--logits", *where, "--json")
    key = json.loads(imported.out)["key"]
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    assert asc("teacher", "export", key, "-o", folder, "--workspace", workspace).code == 0
    assert {path.name for path in folder.iterdir()} == {"teacher.json", "logits.npz"}
    again = asc("teacher", "import", folder, "--workspace", elsewhere, "--json")
    assert json.loads(again.out)["imported"] == "ensemble_logits.pt"
    assert json.loads(again.out)["key"] == key


class Payload:
    def __reduce__(self) -> tuple:
        return os.getcwd, ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FILE"], "--arch: is missing"),
        (["FILE", "--arch", "cp_resnett"], "did you mean 'cp_resnet'?"),
        (["FILE", "--arch", "cp_resnet", "--set", "base_channels=12"], "in_c.0.weight has the shape (10, 1, 5, 5)"),
        (["FILE", "--arch", "cp_resnet", "--set", "base_chanels=12"], "did you mean 'base_channels'?"),
        (["FILE", "--arch", "cp_resnet", "--augment", "dirfm"], "did you mean 'dirfms'?"),
        (["FILE", "--arch", "cp_mobile"], "is missing; give the --arch"),
        (["FILE", "--logits"], "is no table of logits"),
        (["FILE", "--logits", "--arch", "passt"], "--arch: says nothing of logits"),
        (["FILE", "--logits", "--device", "a"], "--device: says nothing of logits"),
        (["FILE", "--arch", "cp_resnet", "--device", "a"], "--device a: cpr_dirfms_1.pt holds one network"),
        (["FOLDER", "--device", "a"], "--device: is told by an exported teacher itself"),
        (["CODE", "--arch", "cp_resnet"], "could run code"),
        (["/nowhere.pt", "--arch", "cp_resnet"], "no such file or folder"),
        (["FOLDER", "--validation", "0.2"], "is told by an exported teacher itself"),
    ],
)
def test_imports_that_cannot_be_are_one_line_and_leave_nothing(
    asc: Callable, synth_corpus: Path, workspace: Path, weights: Path, tmp_path: Path, arguments: list, message: str
) -> None:
    torch.save({"a": Payload()}, tmp_path / "code.pt")
    (tmp_path / "folder").mkdir()
    paths = {"FILE": weights, "CODE": tmp_path / "code.pt", "FOLDER": tmp_path / "folder"}
    given = [paths.get(argument, argument) for argument in arguments]
    corpus = () if "FOLDER" in arguments else ("--corpus", synth_corpus)
    assert message in error_of(asc("teacher", "import", *given, *corpus, "--workspace", workspace))
    assert runs_in(workspace) == 0


def test_import_of_a_student(asc: Callable, synth_corpus: Path, workspace: Path, weights: Path) -> None:
    given = ("--corpus", synth_corpus, "--workspace", workspace)
    missing = error_of(asc("student", "import", "nowhere.pt", "--arch", "cp_resnet", *given))
    assert missing == "error: nowhere.pt: no such file; give a .pt, .ckpt or .safetensors file"
    assert "did you mean 'cp_resnet'?" in error_of(asc("student", "import", weights, "--arch", "cp_resnett", *given))
    assert runs_in(workspace) == 0
    done = asc("student", "import", weights, "--arch", "cp_resnet", *given, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["name"] == "cpr_dirfms_1"


def test_import_without_a_corpus_says_so(asc: Callable, workspace: Path, weights: Path) -> None:
    line = error_of(asc("teacher", "import", weights, "--arch", "cp_resnet", "--workspace", workspace))
    assert line.startswith("error: --corpus: is missing; ")


def verdicts_of(result: object) -> dict[str, tuple[bool, str]]:
    assert result.code == 0, result.err
    return {entry["key"]: (entry["goes"], entry["reason"]) for entry in json.loads(result.out)["teachers"]}


def test_prune_says_what_would_go_and_deletes_only_with_yes(
    asc: Callable, workspace: Path, teach: Callable, learn: Callable, bank: TeacherBank
) -> None:
    used, kept, unused, failed = (teach(seed) for seed in range(4))
    learn(used, kept)
    learn(failed, status="FAILED")
    command = ("teacher", "prune", "--unused", "--keep", kept[:6], "--workspace", workspace)
    verdicts = verdicts_of(asc(*command, "--json"))
    assert {key: goes for key, (goes, _) in verdicts.items()} == {used: False, kept: False, unused: True, failed: True}
    assert verdicts[used][1] == "used by trial 3 of some-study"
    assert verdicts[kept][1] == "to be kept"
    shown = asc(*command)
    assert "2 of 4 teachers would go" in shown.out
    assert "with --yes" in shown.out
    assert len(bank.all()) == 4

    model_id = bank.named(unused).model_id
    assert asc(*command, "--yes").code == 0
    assert {teacher.key for teacher in bank.all()} == {used, kept}
    models = bank.tracking.client.search_logged_models([bank.experiment_id])
    assert model_id not in {model.model_id for model in models}
    assert len(models) == 2
    assert teach(2) == unused, "a pruned teacher can be trained again"
    assert len(bank.all()) == 3


def test_used_teacher_goes_only_by_its_key_and_not_while_it_is_being_learned_from(
    asc: Callable, workspace: Path, teach: Callable, learn: Callable, bank: TeacherBank
) -> None:
    from asc_experiments.base.ownership import this_process

    used, wanted = teach(0), teach(1)
    learn(used)
    learn(wanted, status="RUNNING", owner=this_process(), name="trial 4")
    verdicts = verdicts_of(asc("teacher", "prune", used[:6], wanted, "--yes", "--json", "--workspace", workspace))
    assert verdicts[used] == (True, "named; used by trial 3 of some-study")
    assert verdicts[wanted] == (False, "used by trial 4 of some-study (active)")
    assert [teacher.key for teacher in bank.all()] == [wanted]


def test_nothing_unused_goes_while_a_trial_has_not_said_what_it_wants(
    asc: Callable, workspace: Path, teach: Callable, learn: Callable
) -> None:
    from asc_experiments.base.ownership import this_process

    key = teach()
    learn(status="RUNNING", owner="elsewhere-no-more", name="trial 8")
    command = ("teacher", "prune", "--unused", "--json", "--workspace", workspace)
    assert verdicts_of(asc(*command))[key][0], "a dead process wants nothing"
    learn(status="RUNNING", owner=this_process(), name="trial 9")
    assert verdicts_of(asc(*command))[key] == (False, "may be wanted by trial 9 of some-study (active)")


def test_young_teachers_stay(asc: Callable, workspace: Path, teach: Callable) -> None:
    key = teach()
    command = ("teacher", "prune", "--json", "--workspace", workspace, "--older-than")
    assert verdicts_of(asc(*command, 2))[key] == (False, "unused, 0.0 days old")
    assert verdicts_of(asc(*command, 0))[key][0]


def test_old_checkpoints_that_nobody_goes_on_with_are_freed(
    asc: Callable, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "own cache"
    monkeypatch.setenv("ASC_CACHE", str(cache))
    for name, days in (("old.ckpt", 9), ("half.partial", 9), ("young.ckpt", 0), ("busy.ckpt", 9), ("other.txt", 9)):
        path = cache / "checkpoints" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1_000_000))
        os.utime(path, (time.time() - days * DAY_S,) * 2)
    (cache / "locks").mkdir()
    command = ("teacher", "prune", "--older-than", 7, "--workspace", workspace)
    with FileLock(cache / "locks" / "training-busy.lock"):
        shown = asc(*command)
        assert "2.0 MB of the cache would be freed" in shown.out
        assert "checkpoint old.ckpt: 9.0 days old, 1.0 MB" in shown.out
        assert len(list((cache / "checkpoints").iterdir())) == 5
        assert json.loads(asc(*command, "--yes", "--json").out)["freed_bytes"] == 2_000_000
    assert sorted(p.name for p in (cache / "checkpoints").iterdir()) == ["busy.ckpt", "other.txt", "young.ckpt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "says nothing of what to prune"),
        (["0123", "--unused"], "--unused: says nothing beside keys"),
        (["0123", "--older-than", "3"], "--older-than: says nothing beside keys"),
        (["0123"], "does not exist"),
        (["--unused", "--keep", "0123"], "does not exist"),
    ],
)
def test_unclear_prunes_are_one_line(asc: Callable, workspace: Path, arguments: list[str], message: str) -> None:
    assert message in error_of(asc("teacher", "prune", *arguments, "--workspace", workspace, "--yes"))
