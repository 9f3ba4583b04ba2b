"""Everything that is known of the studies of a place, with the ids that things had where they were made.

It reads through MLflow's and Optuna's own clients, not through the code under test.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import optuna
from mlflow import MlflowClient
from optuna.distributions import distribution_to_json

ORIGIN = "asc.imported_from"
OF_IMPORT = (ORIGIN, "asc.import_digest", "asc.birth", "mlflow.modelVersions")
"""Tags that an import sets, and one that only a server sets when a version is made."""


def snapshot(uri: str, storage: Any) -> dict[str, Any]:
    """Runs, logged models, registry, experiments and studies; equal where nothing was lost on the way."""
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def found(experiment_id: str) -> list[Any]:
        """A search leaves lineage out."""
        runs = client.search_runs([experiment_id], max_results=1_000)
        return [client.get_run(run.info.run_id) for run in runs]

    experiments = [each for each in client.search_experiments() if each.name != "Default"]
    runs = [run for each in experiments for run in found(each.experiment_id)]
    models = [model for each in experiments for model in client.search_logged_models([each.experiment_id])]
    names = {each.experiment_id: each.name for each in experiments}
    new = {run.info.run_id: run.data.tags.get(ORIGIN, run.info.run_id) for run in runs}
    new |= {model.model_id: (model.tags or {}).get(ORIGIN, model.model_id) for model in models}

    def text(value: str) -> str:
        value = re.sub(r"#/experiments/(\d+)/runs", lambda found: f"#/{names.get(found[1])}/runs", value)
        return re.sub(r"(?:m-)?\b[0-9a-f]{32}\b", lambda found: new.get(found[0], found[0]), value)

    def tags(values: dict[str, str]) -> dict[str, str]:
        return {key: text(value) for key, value in values.items() if key not in OF_IMPORT}

    return {
        "experiments": {each.name: tags(each.tags) for each in experiments},
        "runs": {new[run.info.run_id]: _run(client, run, names, new, tags, text) for run in runs},
        "models": {new[model.model_id]: _model(uri, model, names, new, tags, text) for model in models},
        "registry": _registry(client, new, tags, text),
        "studies": _studies(storage),
    }


def _run(client: MlflowClient, run: Any, names: dict, new: dict, tags: Any, text: Any) -> dict[str, Any]:
    info, data = run.info, run.data
    with tempfile.TemporaryDirectory() as folder:
        has_files = bool(client.list_artifacts(info.run_id))
        files = _files(Path(client.download_artifacts(info.run_id, "", folder)), text) if has_files else {}
    return {
        "experiment": names[info.experiment_id],
        "name": info.run_name,
        "status": info.status,
        "times": [info.start_time, info.end_time],
        "params": data.params,
        "tags": tags(data.tags),
        "metrics": {
            key: sorted([p.value, p.timestamp, p.step] for p in client.get_metric_history(info.run_id, key))
            for key in data.metrics
        },
        "datasets": [
            [d.dataset.to_dictionary(), sorted((tag.key, tag.value) for tag in d.tags)]
            for d in run.inputs.dataset_inputs
        ],
        "made_from": sorted(new[each.model_id] for each in run.inputs.model_inputs),
        "made": sorted((new[each.model_id], each.step) for each in run.outputs.model_outputs),
        "files": files,
    }


def _model(uri: str, model: Any, names: dict, new: dict, tags: Any, text: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(model.artifact_location, dst_path=folder, tracking_uri=uri)
        located = (Path(path) / "MLmodel").read_text()
        assert f"artifact_path: {model.artifact_location}\n" in located, "MLmodel says where it lies"
        files = _files(Path(path), lambda content: text(content.replace(model.artifact_location, "HERE")))
    return {
        "experiment": names[model.experiment_id],
        "name": model.name,
        "status": str(model.status),
        "run": new[model.source_run_id],
        "params": model.params,
        "tags": tags(model.tags or {}),
        "metrics": sorted([new[m.run_id], m.key, m.value, m.timestamp, m.step] for m in model.metrics or ()),
        "files": files,
    }


def _registry(client: MlflowClient, new: dict, tags: Any, text: Any) -> dict[str, Any]:
    found = {}
    for each in client.search_registered_models():
        versions = {}
        for version in client.search_model_versions(f"name = '{each.name}'"):
            card = version.tags.pop("asc.card")
            intact = card == hashlib.blake2b(version.description.encode(), digest_size=16).hexdigest()
            versions[int(version.version)] = {
                "source": text(version.source), "run": new[version.run_id], "tags": tags(version.tags),
                "description": text(version.description), "card is the program's": intact,
            }  # fmt: skip
        aliases = {alias: int(number) for alias, number in client.get_registered_model(each.name).aliases.items()}
        found[each.name] = {"description": each.description, "aliases": aliases, "versions": versions}
    return found


def _studies(storage: Any) -> dict[str, Any]:
    return {
        name: _study(optuna.load_study(study_name=name, storage=storage))
        for name in optuna.get_all_study_names(storage)
    }


def _study(study: optuna.Study) -> dict[str, Any]:
    return {
        "directions": [each.name for each in study.directions],
        "user_attrs": study.user_attrs,
        "system_attrs": study._storage.get_study_system_attrs(study._study_id),
        "trials": [
            {
                "number": t.number, "state": t.state.name, "values": t.values, "params": t.params,
                "distributions": {key: distribution_to_json(each) for key, each in t.distributions.items()},
                "user_attrs": t.user_attrs, "system_attrs": t.system_attrs,
                "intermediate": t.intermediate_values, "dates": [t.datetime_start, t.datetime_complete],
            }
            for t in study.trials
        ],
    }  # fmt: skip


def _files(folder: Path, text: Any) -> dict[str, str]:
    """The digests of all files; of those that hold ids, with the ids that things had where they were made."""
    found = {}
    for path in _paths(folder):
        content = path.read_bytes()
        if path.name == "MLmodel" or path.suffix == ".md":
            content = text(content.decode()).encode()
        found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def _paths(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def counts(uri: str) -> dict[str, int]:
    """How many runs of each kind and status, logged models and versions there are, to see that none is added."""
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    ids = [each.experiment_id for each in client.search_experiments()]
    found: dict[str, int] = {
        "models": len(client.search_logged_models(ids)),
        "versions": len(client.search_model_versions()),
    }
    for run in client.search_runs(ids, max_results=1_000):
        key = json.dumps([run.data.tags.get("asc.kind"), run.info.status])
        found[key] = found.get(key, 0) + 1
    return found
