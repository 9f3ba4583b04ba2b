"""Published weights and logits become teachers like any other; what does not fit is refused and leaves nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from asc_experiments.base.errors import AscError
from asc_experiments.corpus import ValidationSplit
from asc_experiments.distill import Ensemble, Teacher, TeacherBank, TrainingContext
from asc_experiments.distill.external_teacher import import_logits, import_network, import_student
from asc_experiments.distill.keys import teacher_key
from asc_experiments.distill.standalone_student import train_single_student
from asc_experiments.models import build_model
from asc_experiments.tracking.trials import IMPORTED, MODEL_ID, SEED
from asc_experiments.training import make_recipe

Open = Callable[..., TrainingContext]
META = "meta.csv"


def weights_of(arch: str = "cp_resnet", scenes: int = 10, **size: object) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return build_model(arch, n_classes=scenes, **({"base_channels": 10} | size)).state_dict()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(content: object, name: str = "weights.pt") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


def published(shared: Path, name: str) -> tuple[dict[str, Tensor], np.ndarray, np.ndarray]:
    """Weights under their published names, and the published network's logits for some features."""
    golden = np.load(shared / "parity" / f"{name}.npz")
    weights = {key[3:]: torch.from_numpy(golden[key]) for key in golden.files if key.startswith("sd/")}
    return weights, golden["features"], golden["logits"]


def count_runs(bench: TrainingContext) -> int:
    return len(bench.tracking.search([bench.tracking.experiment("teachers")]))


@pytest.mark.parametrize(
    ("name", "arch", "settings", "size"),
    [
        ("passt_tiny", "passt", {"num_heads": 4}, "96x3"),
        ("cp_resnet_b16", "cp_resnet", {}, "16"),
        ("cp_resnet_b32", "cp_resnet", {}, "32"),
        ("cp_mobile_b16", "cp_mobile", {}, "16"),
        ("cp_mobile_b32", "cp_mobile", {}, "32"),
    ],
)
def test_published_state_dict_becomes_a_teacher_that_computes_what_it_did(
    open_bench: Open, shared: Path, saved: Callable, name: str, arch: str, settings: dict, size: str
) -> None:
    from asc_experiments.tracking.registry.network_store import fetch_network

    weights, features, logits = published(shared, name)
    bench = open_bench()
    teacher = import_network(bench, saved(weights, f"{name}_dirfms_1.pt"), arch, "dirfms", {"seed": 1} | settings)
    assert teacher.recipe is not None
    assert (teacher.recipe.arch, teacher.recipe.size, teacher.recipe.augment) == (arch, size, "dirfms")
    assert teacher.name == f"{name}_dirfms_1"
    assert teacher.source == f"{name}_dirfms_1.pt"
    assert np.isfinite(teacher.logits.of(bench.corpus.filenames, "teacher")).all()
    assert {"accuracy/device/s4", "validation/accuracy/overall", "complexity/macs"} <= teacher.metrics.keys()
    network = fetch_network(bench.tracking, f"models:/{teacher.model_id}")
    with torch.no_grad():
        np.testing.assert_allclose(network.model(torch.from_numpy(features)).numpy(), logits, atol=1e-4)


def test_importing_twice_finds_the_first_however_it_is_stored(
    open_bench: Open, saved: Callable, tmp_path: Path
) -> None:
    bench = open_bench()
    first = import_network(bench, saved(weights_of()), "cp_resnet", "none", {})
    save_file(weights_of(), tmp_path / "other.safetensors")
    for path in (saved({"state_dict": weights_of()}, "wrapped.pt"), tmp_path / "other.safetensors"):
        again = import_network(bench, path, "cp_resnet", "none", {}, name="another name")
        assert again.record.run_id == first.record.run_id
    assert count_runs(bench) == 1


@pytest.mark.parametrize("prefix", ["model.", "net.", "module.", "module.model."])
def test_prefixes_and_the_frontends_buffers_are_taken_off(
    open_bench: Open, saved: Callable, capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    bench = open_bench()
    wrapped = {f"{prefix}{name}": tensor for name, tensor in weights_of().items()}
    path = saved({"state_dict": wrapped | {"mel.window": torch.ones(800)}, "epoch": 3})
    teacher = import_network(bench, path, "cp_resnet", "none", {})
    assert teacher.key == import_network(bench, saved(weights_of()), "cp_resnet", "none", {}).key
    assert "left out mel.window" in capsys.readouterr().err


def of_2025(*devices: str, general: bool = True) -> dict[str, object]:
    """A file as Lightning writes it of DCASE 2025's baseline: half precision, a network per device, the frontend."""
    networks = {f"device_models.{device}": seed for seed, device in enumerate(devices, 1)}
    tensors = {"mel.0.kernel": torch.ones(320, 1, 475), "mel.1.spectrogram.window": torch.ones(3072)}
    for prefix, seed in (networks | ({"base_model": 0} if general else {})).items():
        torch.manual_seed(seed)
        state = build_model("cp_mobile_2024", base_channels=8).half().state_dict()
        tensors |= {f"multi_device_model.{prefix}.{name}": tensor for name, tensor in state.items()}
    return {"epoch": 0, "pytorch-lightning_version": "2.5.1", "state_dict": tensors, "loops": {"done": False}}


def test_of_a_file_of_several_networks_the_general_one_or_a_devices_is_imported(
    open_bench: Open, saved: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    from asc_experiments.tracking.registry.network_store import fetch_network

    content = of_2025("a", "s1")
    bench, path, found = open_bench(), saved(content, "sys.ckpt"), {}
    for device in ("", "s1"):
        found[device] = import_network(bench, path, "cp_mobile_2024", "fms", {}, device=device)
        network = fetch_network(bench.tracking, f"models:/{found[device].model_id}")
        prefix = f"multi_device_model.device_models.{device}." if device else "multi_device_model.base_model."
        for name, tensor in network.model.state_dict().items():
            assert torch.equal(tensor, content["state_dict"][prefix + name].to(tensor.dtype))
    assert [each.name for each in found.values()] == ["sys", "sys-s1"]
    assert [each.source for each in found.values()] == ["sys.ckpt", "sys.ckpt, device s1"]
    assert len({each.key for each in found.values()}) == 2
    said = capsys.readouterr().err
    assert said.count("took the general network; --device takes that of a, s1") == 1
    assert "left out mel.0.kernel, mel.1.spectrogram.window" in said


@pytest.mark.parametrize(
    ("content", "device", "message"),
    [
        (of_2025("a", "s1"), "s9", r"network of device 's9', but those of a, s1 and a general one; omit --device"),
        (of_2025("a", "s1", general=False), "", r"holds those of a, s1, no general one; give --device a"),
        (of_2025("a", "s1", general=False), "b", r"network of device 'b', but those of a, s1; give --device a"),
        (weights_of(), "a", r"--device a: weights.pt holds one network, for every device; omit it"),
    ],
    ids=["device", "no general", "device, no general", "one network"],
)
def test_network_that_a_file_does_not_hold_is_said_with_those_that_it_holds(
    open_bench: Open, saved: Callable, content: dict, device: str, message: str
) -> None:
    bench = open_bench()
    with pytest.raises(AscError, match=message) as caught:
        import_network(bench, saved(content), "cp_mobile_2024", "none", {}, device=device)
    assert "\n" not in caught.value.line()
    assert count_runs(bench) == 0


def test_devices_network_that_is_the_general_one_is_said_to_be_there(
    open_bench: Open, saved: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    """As device s2's in a file of the winner of 2025."""
    content = of_2025("a", "s2")
    tensors = content["state_dict"]
    for name in [name for name in tensors if ".base_model." in name]:
        tensors[name.replace("base_model", "device_models.s2")] = tensors[name]
    bench, path = open_bench(), saved(content, "sys.ckpt")
    first = import_network(bench, path, "cp_mobile_2024", "none", {})
    assert import_network(bench, path, "cp_mobile_2024", "none", {}, device="s2").key == first.key
    assert "sys.ckpt: the same weights are there already, from sys.ckpt" in capsys.readouterr().err


def test_published_network_stands_beside_the_students_once(
    open_bench: Open, saved: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, path = open_bench(), saved(of_2025("a"), "sys.ckpt")
    run_id, metrics = import_student(bench, path, "cp_mobile_2024", "fms", {"seed": 3}, device="a")
    student = bench.tracking.get(run_id)
    assert (student.name, student.params["augment"], student.tags[SEED]) == ("sys-a", "fms", "3")
    assert student.experiment_id == bench.tracking.experiment("students")
    assert {"accuracy/device/s4", "validation/accuracy/overall"} <= metrics.keys()
    assert {"complexity/macs_torchinfo", *metrics} <= student.metrics.keys()
    assert bench.tracking.client.get_logged_model(student.tags[MODEL_ID]).source_run_id == run_id
    assert import_student(bench, path, "cp_mobile_2024", "fms", {"seed": 3}, device="a") == (run_id, metrics)
    assert f"student sys-a: already there, as run {run_id}" in capsys.readouterr().err
    assert TeacherBank(bench.tracking).all() == []


def test_imported_teacher_is_found_by_name_and_never_for_a_recipe(open_bench: Open, saved: Callable) -> None:
    bench = open_bench()
    bank = TeacherBank(bench.tracking)
    settings = {"epochs": 1, "batch_size": 64}
    teacher = import_network(bench, saved(weights_of()), "cp_resnet", "none", settings, name="the published one")
    assert bank.named(teacher.key[:8]).name == "the published one"
    assert bank.find(teacher.key) is not None
    assert [t.key for t in bank.all()] == [teacher.key]
    recipe = make_recipe("cp_resnet", base_channels=10, **settings)
    assert teacher.recipe == recipe
    trained = bank.get(recipe, bench)
    assert trained.key != teacher.key
    assert not trained.source
    assert teacher.record.tags[IMPORTED].endswith(" weights.pt")


def test_key_of_a_trained_teacher_is_what_it_was() -> None:
    recipe = make_recipe("cp_mobile")
    split = ValidationSplit(fraction=0.2)
    plain = teacher_key(recipe, "corpus", split)
    assert plain == teacher_key(recipe, "corpus", split, weights=None)
    assert plain != teacher_key(recipe, "corpus", split, weights="digest")


def test_student_learns_from_imported_teachers(open_bench: Open, saved: Callable) -> None:
    bench = open_bench()
    one = import_network(bench, saved(weights_of()), "cp_resnet", "none", {})
    two = import_logits(bench, saved(random_logits(bench), "ensemble_logits.pt"))
    student = make_recipe("cp_mobile", base_channels=8, epochs=1, batch_size=64)
    run_id, metrics = train_single_student(open_bench, bench.tracking, student, [one.key, two.key], {})
    assert "accuracy/device/s5" in metrics
    inputs = bench.tracking.client.get_run(run_id).inputs
    assert [model.model_id for model in inputs.model_inputs] == [one.model_id]
    assert "ensemble/accuracy/device/s5" in bench.tracking.get(run_id).metrics


def wrong_shape() -> dict[str, Tensor]:
    return weights_of() | {"stage1.block1.bn1.weight": torch.zeros(11)}


def missing() -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights_of().items() if name != "stage2.block1.bn2.bias"}


def not_finite() -> dict[str, Tensor]:
    return weights_of() | {"stage1.block1.bn1.weight": torch.full((10,), torch.nan)}


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (wrong_shape, {}, r"stage1\.block1\.bn1\.weight has the shape \(11,\), expected \(10,\); .*base_channels=…"),
        (missing, {}, r"stage2\.block1\.bn2\.bias of shape \(20,\) is missing; give the --arch"),
        (lambda: weights_of() | {"extra.weight": torch.zeros(2)}, {}, r"extra\.weight of shape \(2,\) is no part"),
        (not_finite, {}, r"stage1\.block1\.bn1\.weight holds values that are not finite"),
        (weights_of, {"base_channels": 12}, r"in_c\.0\.weight has the shape \(10, 1, 5, 5\), expected \(12, 1, 5, 5\)"),
        (lambda: weights_of(scenes=12), {}, r"\(12, 4, 1, 1\): 12 scenes; give the --corpus"),
        (lambda: weights_of("cp_mobile", base_channels=8), {}, r"in_c\.0\.weight of shape .* is missing"),
        (lambda: {"state_dict": {"a": 3}}, {}, "'a' is a int and no tensor"),
        (lambda: torch.zeros(3), {}, "is no state dict"),
        (dict, {}, "is no state dict"),
    ],
    ids=["shape", "missing", "unknown", "nan", "size", "scenes", "arch", "number", "tensor", "empty"],
)
def test_tensors_that_do_not_fit_are_named_and_leave_no_run(
    open_bench: Open, saved: Callable, content: Callable, settings: dict, message: str
) -> None:
    bench = open_bench()
    with pytest.raises(AscError, match=message) as caught:
        import_network(bench, saved(content()), "cp_resnet", "none", settings)
    assert "\n" not in caught.value.line()
    assert count_runs(bench) == 0


def test_size_of_a_narrower_student_is_asked_for(open_bench: Open, saved: Callable) -> None:
    path = saved(weights_of("cp_mobile", base_channels=16, channels_multiplier=1.5))
    bench = open_bench()
    with pytest.raises(AscError, match=r"--set channels_multiplier=… --set expansion_rate=…"):
        import_network(bench, path, "cp_mobile", "none", {})
    teacher = import_network(bench, path, "cp_mobile", "none", {"channels_multiplier": 1.5})
    assert teacher.recipe is not None
    assert teacher.recipe.size == "16"


def test_heads_that_no_shape_tells_are_asked_for_or_known_from_the_size(open_bench: Open, saved: Callable) -> None:
    bench = open_bench()
    odd = {"base_channels": None, "embed_dim": 24, "depth": 1, "num_heads": 2}
    torch.manual_seed(0)
    path = saved(build_model("passt", **{k: v for k, v in odd.items() if v}).state_dict())
    with pytest.raises(AscError, match=r"24 wide and 1 deep .*--set num_heads=…"):
        import_network(bench, path, "passt", "none", {})
    from asc_experiments.training.weights import infer_size

    named = {"cls_token": torch.zeros(1, 1, 768), "blocks.11.norm1.weight": torch.zeros(768)}
    assert infer_size("passt", named, {}, "file") == {"depth": 12, "embed_dim": 768, "num_heads": 12}
    assert infer_size("passt", named, {"size": "s"}, "file") == {}


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("old_format", [False, True])
def test_code_in_a_pickle_is_refused_and_not_run(open_bench: Open, tmp_path: Path, old_format: bool) -> None:
    target = tmp_path / "was run"
    path = tmp_path / "weights.pt"
    content = weights_of() | {"in_c.0.weight": Payload(target)}
    torch.save(content, path, _use_new_zipfile_serialization=not old_format)
    bench = open_bench()
    with pytest.raises(AscError, match=r"could run code; save it anew"):
        import_network(bench, path, "cp_resnet", "none", {})
    assert not target.exists()
    assert count_runs(bench) == 0


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("kept", [0, 100, 20_000])
def test_truncated_file_is_one_line(open_bench: Open, saved: Callable, tmp_path: Path, name: str, kept: int) -> None:
    path = saved(weights_of(), name)
    if name.endswith("safetensors"):
        save_file(weights_of(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(AscError, match=r"no whole PyTorch or safetensors file .*download it again"):
        import_network(open_bench(), path, "cp_resnet", "none", {})


def test_absent_file_is_one_line(open_bench: Open, tmp_path: Path) -> None:
    with pytest.raises(AscError, match="no such file"):
        import_network(open_bench(), tmp_path / "nothing.pt", "cp_resnet", "none", {})


def random_logits(bench: TrainingContext, rows: int | None = None) -> Tensor:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows or bench.corpus.n_meta, len(bench.corpus.scenes)))
    return torch.from_numpy(values).to(torch.float16)


def shuffled(corpus: Path) -> list[str]:
    """Reorder meta.csv, add a row that is in no fold, and return the filenames in the file's order."""
    heading, *rows = (corpus / META).read_text().splitlines()
    np.random.default_rng(0).shuffle(rows)
    rows.insert(3, "audio/unused.wav\tairport\tnowhere-1\ta")
    (corpus / META).write_text("\n".join([heading, *rows]) + "\n")
    return [row.split("\t")[0] for row in rows]


def test_rows_of_published_logits_are_rows_of_meta_csv(open_bench: Open, corpus_copy: Path, saved: Callable) -> None:
    names = shuffled(corpus_copy)
    bench = open_bench(corpus=corpus_copy)
    values = random_logits(bench)
    teacher = import_logits(bench, saved(values, "ensemble_logits.pt"))
    assert len(values) == len(names) == len(bench.corpus.clips) + 1
    for name in bench.corpus.filenames:
        found = teacher.logits.of([name], "teacher")[0]
        np.testing.assert_array_equal(found, values[names.index(name)].float().numpy())
    assert teacher.recipe is None
    assert teacher.model_id is None
    assert teacher.name == "ensemble_logits"
    assert {"accuracy/device/s4", "validation/accuracy/overall"} <= teacher.metrics.keys()
    assert import_logits(bench, saved(values, "same.pt")).record.run_id == teacher.record.run_id


def test_logits_of_training_clips_alone_teach_and_have_no_test_scorecard(
    open_bench: Open, corpus_copy: Path, saved: Callable
) -> None:
    names = shuffled(corpus_copy)
    bench = open_bench(corpus=corpus_copy)
    values = random_logits(bench, bench.corpus.n_train)
    teacher = import_logits(bench, saved(values))
    trained = [name for name in names if name in bench.corpus.filenames[: bench.corpus.n_train]]
    assert teacher.logits.filenames == tuple(trained)
    np.testing.assert_array_equal(teacher.logits.values, values.float().numpy())
    assert "accuracy/overall" not in teacher.metrics
    assert "validation/accuracy/overall" in teacher.metrics
    with pytest.raises(AscError, match="has no logits for"):
        Ensemble((teacher,)).logits(bench.corpus.filenames)
    student = make_recipe("cp_mobile", base_channels=8, epochs=1, batch_size=64)
    run_id, metrics = train_single_student(
        lambda split: open_bench(split, corpus_copy), bench.tracking, student, [teacher.key], {}
    )
    assert "accuracy/device/s5" in metrics
    logged = bench.tracking.get(run_id).metrics
    assert "ensemble/validation/accuracy/overall" in logged
    assert "ensemble/accuracy/overall" not in logged
    assert all(np.isfinite(value) for value in logged.values())


def as_integers(values: Tensor) -> Tensor:
    return values.to(torch.int64)


def with_nan(values: Tensor) -> Tensor:
    values[7] = torch.nan
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: torch.cat([v, v]), "has 400 rows; meta.csv has 200.*drop the second half"),
        (lambda v: v[:-1], "has 199 rows; meta.csv has 200.*one row for each row of meta.csv"),
        (lambda v: v[:, :9], "has 9 columns, and the corpus 10 scenes"),
        (lambda v: v[0], "is no table of logits"),
        (as_integers, "is no table of logits"),
        (with_nan, r"the logits of audio/.*\.wav are not finite"),
        (lambda v: {"a": v, "b": v}, "is no table of logits"),
    ],
    ids=["doubled", "too few", "scenes", "flat", "integers", "nan", "dictionary"],
)
def test_logits_that_do_not_fit_are_refused(open_bench: Open, saved: Callable, change: Callable, message: str) -> None:
    bench = open_bench()
    with pytest.raises(AscError, match=message):
        import_logits(bench, saved(change(random_logits(bench))))
    assert count_runs(bench) == 0


def test_logits_in_another_order_are_remarked_upon(
    open_bench: Open, saved: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = open_bench()
    right = torch.zeros(bench.corpus.n_meta, 10)
    for row, label in zip(bench.corpus.meta_rows, bench.corpus.labels, strict=True):
        right[row, label] = 5.0
    teacher = import_logits(bench, saved(right))
    assert teacher.metrics["accuracy/overall"] == 1.0
    assert "chance" not in capsys.readouterr().err
    import_logits(bench, saved(right.roll(1, dims=1), "wrong.pt"))
    assert "hardly better than chance; are its rows in the order of meta.csv" in capsys.readouterr().err


def test_teacher_without_a_recipe_of_another_version_is_still_refused(open_bench: Open) -> None:
    bench = open_bench()
    tags = {"asc.teacher": "0123456789abcdef", "asc.split": "{}"}
    with bench.tracking.run(bench.tracking.experiment("teachers"), "old", "teacher", tags):
        pass
    assert TeacherBank(bench.tracking).all() == []
    record = bench.tracking.search([bench.tracking.experiment("teachers")])[0]
    with pytest.raises(AscError, match="another version"):
        Teacher.from_record(record, bench.tracking)
