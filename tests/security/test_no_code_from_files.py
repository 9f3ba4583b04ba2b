"""No file that is read can run code: by reading the program, and by feeding it files that would."""

import ast
import hashlib
import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import asc_experiments
from asc_experiments.base.download import RemoteFile
from asc_experiments.base.errors import AscError
from asc_experiments.base.hashing import digest_bytes
from asc_experiments.base.yaml import parse_yaml
from asc_experiments.distill import LogitTable
from asc_experiments.tracking import Tracking
from asc_experiments.tracking.registry.network_store import fetch_network
from asc_experiments.training import Checkpoint, SceneNetwork, load_network, make_recipe, pretrained, save_network

PACKAGE = Path(asc_experiments.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "shelve", "skops", "jsonpickle"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler", "os.system", "os.popen",
    "pd.read_pickle", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "torch.hub.load", "shutil.unpack_archive",
    "mlflow.pyfunc.load_model", "mlflow.pytorch.load_model",
}  # fmt: skip
REQUIRED = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "np.lib.format.read_array": ("allow_pickle", False),
    "np.lib.format.write_array": ("allow_pickle", False),
}


def dotted(node: ast.expr) -> str:
    """A name such as ``torch.load``; empty where it is none."""
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def dangers(source: str) -> Iterator[str]:
    """What in a module could run code from a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (name for name in names if name.partition(".")[0] in FORBIDDEN_MODULES)
            if isinstance(node, ast.ImportFrom) and node.module == "pickle":
                yield "from pickle import"
        elif isinstance(node, ast.Call):
            name, given = dotted(node.func), {keyword.arg: keyword.value for keyword in node.keywords}
            if name in FORBIDDEN_CALLS or name.endswith((".extractall", ".read_pickle")):
                yield name
            if name in REQUIRED:
                keyword, wanted = REQUIRED[name]
                value = given.get(keyword)
                if not isinstance(value, ast.Constant) or value.value is not wanted:
                    yield f"{name} without {keyword}={wanted}"
            if isinstance(given.get("shell"), ast.Constant) and given["shell"].value:  # type: ignore[union-attr]
                yield f"{name} with a shell"
            if name == "yaml.load":
                yield name
        elif isinstance(node, ast.ClassDef):
            bases = {dotted(base) for base in node.bases}
            yield from bases & {"yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader", "pickle.Unpickler"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_reads_nothing_that_could_run_code(path: Path) -> None:
    assert list(dangers(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(p)", "import torch\ntorch.load(p, weights_only=False)", "np.load(p, allow_pickle=x)",
        "import pickle\npickle.load(f)", "from pickle import loads", "import joblib", "import yaml\nyaml.load(t, L)",
        "class A(yaml.Loader): pass", "eval(x)", "subprocess.run(c, shell=True)", "archive.extractall(p)",
    ],
)  # fmt: skip
def test_the_search_itself_finds_each_danger(source: str) -> None:
    assert list(dangers(source))


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.mark), "w")


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """A file that exists where code was run; it must not."""
    path = tmp_path / "code-was-run"
    yield path
    assert not path.exists(), "a file ran code"


def plain(mark: Path) -> bytes:
    return pickle.dumps({"weights": Evil(mark)}, protocol=2)


def wrapped(mark: Path) -> bytes:
    """As :func:`torch.save` writes."""
    content = io.BytesIO()
    torch.save({"state_dict": {"in_c.0.weight": Evil(mark)}}, content)
    return content.getvalue()


def nested(mark: Path) -> bytes:
    """A network's weights with something beside them."""
    content = io.BytesIO()
    torch.save({"a": torch.zeros(2), "b": [Evil(mark)]}, content)
    return content.getvalue()


KINDS = pytest.mark.parametrize("make", [plain, wrapped, nested])


def test_the_files_would_run_code_if_they_were_unpickled(tmp_path: Path) -> None:
    """Else the tests below would prove nothing."""
    for make in (plain, wrapped, nested):
        made = tmp_path / make.__name__
        content = io.BytesIO(make(made))
        if make is plain:
            pickle.load(content)
        else:
            torch.load(content, weights_only=False)
        assert made.exists()
        assert b"open" in make(made)


@KINDS
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
@pytest.mark.parametrize("logits", [False, True], ids=["weights", "logits"])
def test_teacher_import_runs_no_code(
    asc: Callable,
    synth_corpus: Path,
    workspace: Path,
    tmp_path: Path,
    mark: Path,
    make: Callable,
    ending: str,
    logits: bool,
) -> None:
    path = tmp_path / f"evil{ending}"
    path.write_bytes(make(mark))
    how = ["--logits"] if logits else ["--arch", "cp_resnet"]
    result = asc("teacher", "import", path, *how, "--corpus", synth_corpus, "--workspace", workspace)
    assert result.code == 2
    assert "error: " in result.err
    assert "Traceback" not in result.err


@KINDS
def test_checkpoint_runs_no_code_and_the_training_begins_anew(tmp_path: Path, mark: Path, make: Callable) -> None:
    content = make(mark)
    path = tmp_path / "x.ckpt"
    path.write_bytes(b"asc checkpoint 1\n%s\n%s" % (digest_bytes(content, 64).encode(), content))
    made: list[object] = []

    def trainer() -> object:
        made.append(object())
        return made[-1]

    trained, history = Checkpoint(path, {}, "a training").resume(trainer)  # type: ignore[arg-type]
    assert history == []
    assert trained is made[-1]
    assert len(made) == 2, "the file was read, refused, and a new one made"


def test_logits_run_no_code(tmp_path: Path, mark: Path) -> None:
    path = tmp_path / "logits.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("filenames", "values"):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.array([Evil(mark)], dtype=object), allow_pickle=True)
            archive.writestr(f"{name}.npy", content.getvalue())
    with pytest.raises(AscError, match="holds no readable logits"):
        LogitTable.load(path)
    path.write_bytes(plain(mark))
    with pytest.raises(AscError, match="holds no readable logits"):
        LogitTable.load(path)


@KINDS
def test_stored_network_runs_no_code(tmp_path: Path, mark: Path, make: Callable) -> None:
    save_network(SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park")), tmp_path)
    load_network(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(make(mark))
    with pytest.raises(AscError, match="holds no readable network"):
        load_network(tmp_path)


@KINDS
def test_downloaded_weights_run_no_code(
    tmp_path: Path, mark: Path, make: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the file at the published address had the published checksum."""
    content = make(mark)
    remote = RemoteFile("http://127.0.0.1:9/evil.pt", f"sha256:{hashlib.sha256(content).hexdigest()}")
    monkeypatch.setattr(pretrained, "AUDIOSET", remote)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "evil.pt").write_bytes(content)
    with pytest.raises(AscError, match="holds no weights"):
        pretrained.audioset_weights(tmp_path)


def test_model_of_somebody_else_runs_no_code(tracking: Tracking, tmp_path: Path, mark: Path) -> None:
    """A pickled model, as other programs register them."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "python_model.pkl").write_bytes(plain(mark))
    (folder / "MLmodel").write_text("flavors:\n  python_function:\n    python_model: python_model.pkl\n")
    experiment = tracking.experiment("foreign")
    model = tracking.client.create_logged_model(experiment, name="network")
    tracking.client.log_model_artifacts(model.model_id, str(folder))
    with pytest.raises(AscError, match="is not a model of asc_experiments"):
        fetch_network(tracking, f"models:/{model.model_id}")


@pytest.mark.parametrize(
    "tag",
    [
        "python/object/apply:os.system [touch {mark}]",
        "python/object/new:os.system [touch {mark}]",
        "python/name:os.system",
    ],
)
def test_yaml_runs_no_code(mark: Path, tag: str) -> None:
    with pytest.raises(AscError, match="is not valid YAML"):
        parse_yaml("a: !!" + tag.format(mark=mark), "study.yaml")


def test_what_this_program_stores_holds_no_pickle(tmp_path: Path) -> None:
    """Networks and logits; only checkpoints are PyTorch's format, and are read with weights_only."""
    save_network(SceneNetwork(make_recipe("cp_mobile", base_channels=8), ("bus", "park")), tmp_path)
    LogitTable(("a.wav",), np.zeros((1, 2), dtype=np.float32)).save(tmp_path / "logits.npz")
    for path in tmp_path.iterdir():
        with pytest.raises((ValueError, IndexError, UnicodeDecodeError)):
            list(pickletools.genops(path.read_bytes()))
