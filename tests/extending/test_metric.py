"""A metric of another package is one file: it is measured, is an objective, and margins are told of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from asc_experiments.metrics.metric import GROUP_OF_ENTRY_POINTS
from tests.extending.conftest import Outside
from tests.extending.packages import text_of

Open = Callable[..., Outside]
BRIER, TEXT = {"brier": GROUP_OF_ENTRY_POINTS}, text_of("brier")
STUDY = """
name: outside
trials: 1
objective: {metric: brier/group/unseen}
validation: {fraction: 0.3, hold_out_devices: [s3]}
ensemble: {size: 1, pool: [{arch: cp_mobile}]}
"""
MEASURED = """
import numpy as np
from asc_experiments.metrics import is_better_higher
from asc_experiments.statistics import Evidence, margin
from asc_experiments.statistics.evidence import from_bytes, pooled, to_bytes
from asc_experiments.training import score

rng = np.random.default_rng(0)
labels, devices = rng.integers(0, 3, 400), rng.choice(["a", "s4"], 400)
places = labels * 10 + rng.integers(0, 10, 400)
groups, scenes = {"a": "real", "s4": "unseen"}, ("bus", "park", "tram")
networks = [rng.normal(size=(400, 3)) + strength * np.eye(3)[labels] for strength in [1] * 3 + [6] * 3]
tables = [Evidence.of([each], labels, devices, places.astype(str), groups, scenes) for each in networks]
for name in ("brier/overall", "brier/device/s4", "brier/group/unseen", "brier/scene/bus"):
    cards = [score(each, labels, devices, groups, scenes)[name] for each in networks]
    np.testing.assert_allclose([table.measure(name)[0] for table in tables], cards, rtol=1e-6)  # scores have 7 digits
weak, strong = pooled(tables[:3]), from_bytes(to_bytes({"test": pooled(tables[3:])}))["test"]
assert margin(strong, weak, "brier/overall").is_better and not is_better_higher("brier/overall")
print("done")
"""


def test_it_is_part_of_scorecards_and_margins_are_told_of_it(outside: Open) -> None:
    assert outside(BRIER).python(MEASURED) == "done"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("", "brier registers none"),
        (TEXT.replace("higher_is_better = False", ""), "has no 'higher_is_better'"),
    ],
    ids=["broken", "empty", "no direction"],
)
def test_package_that_gives_none_is_named_where_it_is_the_objective(
    outside: Open, synth_corpus: Path, tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "outside.yaml").write_text(STUDY)
    here = outside(BRIER, texts={"brier": text})
    said = here.run("study", "run", tmp_path / "outside.yaml", "--corpus", synth_corpus, code=2)
    assert "metric 'brier' cannot be loaded" in said
    assert reason in said


def test_objective_of_a_package_that_is_absent_is_refused(outside: Open, synth_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(STUDY)
    asked = ("study", "run", tmp_path / "outside.yaml", "--corpus", synth_corpus)
    said = outside(BRIER).without_package().run(*asked, code=2)
    assert "unknown metric 'brier/group/unseen'" in said
