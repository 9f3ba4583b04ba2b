"""The page is one file, whole, and harmless whatever people named."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.blocks import Chapter, Chart, Report, Section
from asc_experiments.report.render.formats import Format
from asc_experiments.report.render.html import arranged
from asc_experiments.report.render.html import page as page_of
from asc_experiments.report.render.table import Table
from asc_experiments.report.writing import render
from tests.report.made import make_study

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
HOSTILE_GROUPS = {
    HOSTILE: "real",
    "<b>bold</b>": "seen",
    "{{ 7 * 7 }}": "unseen",
    "\u2028'\"": "unseen",
    "%{x}": "real",
}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)
            self._in_script = False

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key == name]


@pytest.fixture(scope="module")
def text(made: StudyRuns) -> str:
    return render([Findings(made)], Format.html)


@pytest.fixture(scope="module")
def hostile() -> str:
    studies = [make_study(HOSTILE, 12, group_of=HOSTILE_GROUPS, teacher_name=HOSTILE), make_study("{% raw %}", 6)]
    return render(list(map(Findings, studies)), Format.html)


def test_page_asks_for_nothing_from_outside(text: str) -> None:
    page = Page(text)
    assert page.attributes("src") == []
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert not [tag for tag, _ in page.elements if tag in ("link", "img", "iframe", "object", "base")]
    assert "@import" not in text.split("</style>")[0]
    assert "url(" not in text.split("</style>")[0]


def test_only_the_scripts_of_the_page_may_run(text: str) -> None:
    page = Page(text)
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy") or ""
    runs = [script for script in page.scripts if not script.startswith("{")]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in runs]
    assert len(runs) == 2
    assert re.findall(r"'sha256-([^']+)'", policy) == digests
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_links_lead_to_a_place_in_the_page(text: str, hostile: str) -> None:
    for page in (Page(text), Page(hostile)):
        names = page.attributes("id")
        assert len(names) == len(set(names))
        assert {link.removeprefix("#") for link in page.attributes("href")} <= set(names)
        for attribute in ("aria-labelledby", "aria-describedby"):
            assert set(page.attributes(attribute)) <= set(names)


def test_answer_its_figure_and_the_students_come_first_and_all_else_is_folded(text: str) -> None:
    sections = re.findall(r'<section id="([^"]+)".*?</section>', text, re.DOTALL)
    whole = dict(zip(sections, re.findall(r"<section .*?</section>", text, re.DOTALL), strict=True))
    assert sections[:2] == ["answer", "scores"]
    for name, part in whole.items():
        assert ('<details class="part">' in part) == (name not in ("answer", "scores"))
        assert f'href="#{name}"' in text.partition("</nav>")[0]
    assert whole["answer"].index('role="img"') < whole["answer"].index("Before you believe it")
    assert whole["scores"].index("<table") < whole["scores"].index('<details class="folded">')
    beside = whole["answer"].partition('<div class="beside">')[2]
    assert beside.index('class="tiles"') < beside.index("<figure")


def test_doubts_beyond_the_first_are_a_line_until_they_are_unfolded() -> None:
    section = Section("answer", "t", (), tuple(f"doubt {number}" for number in range(7)))
    page = render_section(section)
    assert page.index("doubt 3") < page.index("3 more</summary>") < page.index("doubt 4")
    assert "more</summary>" not in render_section(replace(section, points=section.points[:5]))


def render_section(section: Section) -> str:
    return page_of(Report("r", (), (Chapter("s", "", (section,)),)))


def test_sentences_stand_beside_the_figure_that_follows_them_and_figures_beside_each_other() -> None:
    chart = Chart("c", {}, "words")
    table = Table("t", (), ())
    blocks = ("one", "two", chart, table, chart, chart, "three", replace(chart, is_wide=True), chart, "four")
    found = arranged(Section("s", "t", blocks))
    assert [group.kind for group in found] == ["beside", "block", "charts", "prose", "block", "chart", "prose"]
    assert (found[0].blocks, found[0].charts) == (("one", "two"), (chart,))


def test_every_chart_has_its_words_and_its_data(text: str) -> None:
    page = Page(text)
    places = [a["id"] for tag, a in page.elements if a.get("role") == "img"]
    assert len(places) >= 10
    assert set(places) == set(json.loads(page.scripts[0]))


def test_hostile_names_stay_text(hostile: str, text: str) -> None:
    page = Page(hostile)
    assert len(page.scripts) == 3
    assert not [tag for tag, _ in page.elements if tag in ("img", "b", "iframe")]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in hostile
    assert "{{ 7 * 7 }}" in hostile, "a name is no template"
    charts = json.loads(page.scripts[0])
    assert "<script" not in page.scripts[0]
    labels = str(charts)
    assert "&lt;/script&gt;" in labels
    assert "<img" not in labels


def test_number_that_json_does_not_have_leaves_a_hole() -> None:
    study = make_study(n_trials=3)
    study.best_first[0].metrics["ece/device/a"] = float("nan")  # type: ignore[index]
    page = Page(render([Findings(study)], Format.html))
    constants: list[str] = []
    charts = json.loads(page.scripts[0], parse_constant=constants.append)
    assert constants == []
    bars = [trace["y"] for chart in charts.values() for trace in chart["data"] if trace["type"] == "bar"]
    assert any(value is None for each in bars for value in each)
