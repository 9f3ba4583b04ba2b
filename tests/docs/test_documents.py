"""README and pages: short enough, links lead somewhere, commands and options exist, references are whole."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from asc_experiments.cli.main import app
from asc_experiments.study.definition.study_file import StudyFile
from docs.site import bench_table
from docs.site.generated import PAGES, page

ROOT = Path(__file__).parents[2]
PAGES_BY_HAND = sorted((ROOT / "docs").rglob("*.md"))
OUTSIDE = [
    ROOT / name
    for name in (
        "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "studies/README.md", "findings/README.md",
        "docker/README.md",
    )
]  # fmt: skip
DOCUMENTS = [*OUTSIDE, *PAGES_BY_HAND]
LINK = re.compile(r"\]\(([^)\s]+)\)")
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@every_document
def test_relative_links_lead_to_files(document: Path) -> None:
    made = {(ROOT / "docs" / name).resolve() for name in PAGES} | {ROOT / "docs/how-to/write-a-study-file.md"}
    made = made if document in PAGES_BY_HAND else set()
    targets = [target.partition("#")[0] for target in LINK.findall(document.read_text())]
    relative = [target for target in targets if target and "://" not in target]
    absent = [
        each for each in relative if not (there := (document.parent / each).resolve()).exists() and there not in made
    ]
    assert absent == []


@every_document
def test_commands_and_options_exist(document: Path) -> None:
    wrong = [
        f"{option} of {' '.join(words)}"
        for words in commands(document.read_text())
        for option in unknown_options(words)
    ]
    assert wrong == []


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command of this program in a document's blocks of code."""
    for block in re.findall(r"(?ms)^```\n(.*?)^```", text):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|\s|/)asc\s+(.*)", re.sub(r"(^|\s)#.*", "", line))
            if found:
                yield shlex.split(found[1])


def unknown_options(words: list[str]) -> Iterator[str]:
    """What a command, or a command's option, that does not exist is called."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            yield rest[0]
            return
        command = command.commands[rest.pop(0)]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    yield from (word for word in rest if re.match(r"--?[a-z]", word) and word not in known)


def test_a_command_that_does_not_exist_is_found() -> None:
    assert [
        list(unknown_options(words)) for words in commands("```\nasc study rum\nasc report NAME --formats md\n```\n")
    ] == [
        ["rum"],
        ["--formats"],
    ]


def test_command_line_reference_has_every_command() -> None:
    text = page("reference/command-line.md")
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"\n## asc {name}\n" in text
    assert "| `--workers` `INT` |" in text


def test_study_file_reference_describes_every_key() -> None:
    text = page("reference/study-file.md")
    for key in StudyFile.model_fields:
        assert f"\n| `{key}` |" in text
    undescribed = re.findall(r"(?m)^\| (`\w+`) \|.*\|  \|$", text)
    assert undescribed == []


def test_table_of_benchmarks_is_what_the_command_wrote() -> None:
    text = bench_table.PAGE.read_text()
    assert bench_table.written(text) == text, "python -m docs.site.bench_table"


def test_table_of_a_gpu_is_what_the_command_wrote_of_it() -> None:
    record = {
        "machine": "GPU: X", "memory_gib": 139.8, "cuda": "13.0", "host": "CPU: Y, 2 threads", "torch": "2.11.0",
        "day": "2026-12-01", "numbers": "bfloat16", "clips": 139_620, "students": 4, "minutes": 6.5,
        "goals": {"passt_epoch": {"all_clips_s": 45.0}},
        "works": {"passt_epoch": {"all_clips_s": 60.0, "busy_percent": 55.0}, "student_logits": {"note": "late"}},
    }  # fmt: skip
    page = bench_table.page(bench_table.PAGE.read_text(), record, bench_table.GPU_RECORD, bench_table.gpu_table)
    assert (
        "GPU: X, 139.8 GiB, CUDA 13.0, in bfloat16; CPU: Y, 2 threads; PyTorch 2.11.0; 2026-12-01; 139,620 cl" in page
    )
    assert "| passt epoch | 60.0 s |  |  | 55.0 % |  |  |  |  | at most 45 s: not met |  |" in page
    assert "| student logits |  |  |  |  |  |  |  |  |  | late |" in page
    on_few = bench_table.gpu_table(record | {"clips": 64})
    assert "at most 45 s" not in on_few
