"""The page on challenges: its commands run as they stand there, on a small corpus."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from asc_experiments.corpus.synth import synthesise

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "challenge-submission.md"
QUICKER = [
    "--scale", "small", "--set", "student.epochs=1", "--set", "specialise.epochs=1", "--set",
    "ensemble.pool=[{name: cpr, arch: cp_resnet, base_channels: 8, epochs: 1, batch_size: 64}]",
]  # fmt: skip
"""What the page says of laptops, and shorter trainings."""


def commands(chapters: str) -> list[list[str]]:
    found = re.findall(r"(?m)^asc .*", chapters.replace("\\\n", " "))
    return [shlex.split(line)[1:] for line in found]


def test_page_leads_from_a_list_of_clips_to_a_package(asc: Callable, workspace: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "DIR"
    synthesise(corpus, clips_per_scene=40, seed=0)
    page = PAGE.read_text().partition("## DCASE 2024")[0]
    asked = [words for words in commands(page) if words[0] != "predict"]
    assert [words[0] for words in asked] == ["corpus", "study", "study", "report", "register", "submit"]
    for words in asked:
        made = [str(corpus) if word == "DIR" else word for word in words]
        made = ["dcase2025-small" if word == "dcase2025" else word for word in made]
        made = [str(tmp_path / word) if word in ("dcase2025.html", "submission") else word for word in made]
        made = [str(ROOT / word) if word.startswith("studies/") else word for word in made]
        if words[0] == "submit":
            made[made.index("dcase2025-small")] = "dcase2025"  # the challenge
        more = QUICKER if words[0] == "study" else ["--allow-chance"] if words[0] == "register" else []
        where = [] if words[0] == "corpus" else ["--workspace", workspace]
        result = asc(*made, *more, *where)
        assert result.code == 0, f"{words}: {result.err}"
    assert (tmp_path / "submission" / "Lastname_INST_task1" / "ckpts" / "Lastname_INST_task1_1.pt").is_file()
    assert "Does it help to know the device?" in (tmp_path / "dcase2025.html").read_text()
