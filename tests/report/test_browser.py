"""The page in a real browser: silent, without the network, sortable by mouse and keyboard, light, dark, on a phone."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.render.formats import Format
from asc_experiments.report.render.shades import contrast
from asc_experiments.report.writing import render
from tests.report.made import make_study
from tests.report.render.test_html import HOSTILE, HOSTILE_GROUPS

Open = Callable[..., WebDriver]
FIRST_TABLE = "table:has(#study-1-scores-table-1)"


def asked_for(browser: WebDriver) -> list[str]:
    """The addresses that the browser asked for since the last look, but for the page itself and what is inside it."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("file:", "data:", "blob:", "about:", "chrome"))]


def complaints(browser: WebDriver) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def column(browser: WebDriver, number: int) -> list[str]:
    return [
        cell.text.split("±")[0].strip()
        for cell in browser.find_elements(By.CSS_SELECTOR, f"{FIRST_TABLE} tbody tr > :nth-child({number})")
    ]


def heading(browser: WebDriver, number: int) -> tuple[str, str | None]:
    found = browser.find_element(By.CSS_SELECTOR, f"{FIRST_TABLE} thead th:nth-child({number})")
    return found.text, found.get_attribute("aria-sort")


def test_page_draws_every_chart_in_silence_and_without_the_network(browser_at: Open, page_file: Path) -> None:
    browser = browser_at(page_file)
    charts = browser.find_elements(By.CSS_SELECTOR, ".chart")
    first = browser.find_elements(By.CSS_SELECTOR, ".chart .main-svg:first-child")
    assert 0 < len(first) < len(charts), "what is folded is drawn when it is unfolded"
    browser.find_element(By.XPATH, "//nav//button[text()='Unfold all']").click()
    WebDriverWait(browser, 60).until(
        lambda b: len(b.find_elements(By.CSS_SELECTOR, ".chart .main-svg:first-child")) == len(charts)
    )
    drawn = browser.find_elements(By.CSS_SELECTOR, ".chart .main-svg:first-child")
    assert len(charts) >= 15
    assert len(drawn) == len(charts)
    assert complaints(browser) == []
    assert asked_for(browser) == []


def test_figure_of_the_answer_stands_beside_its_words_and_what_is_folded_is_a_line(
    browser_at: Open, page_file: Path
) -> None:
    browser = browser_at(page_file)
    parts = browser.find_elements(By.CSS_SELECTOR, "article:first-of-type > section.folds")
    assert len(parts) > 8
    assert all(part.rect["height"] < 80 for part in parts)
    words, figure = (
        browser.find_element(By.CSS_SELECTOR, f"#study-1-answer .beside > {each}").rect for each in (".words", "figure")
    )
    assert figure["x"] > words["x"] + words["width"]
    assert figure["y"] == pytest.approx(words["y"], abs=4)
    assert words["width"] == pytest.approx(figure["width"], abs=4)


def test_link_unfolds_what_it_leads_to(browser_at: Open, page_file: Path) -> None:
    browser = browser_at(page_file)
    part = browser.find_element(By.CSS_SELECTOR, "#study-1-devices > details")
    assert part.get_attribute("open") is None
    browser.execute_script("location.hash = 'study-1-devices'")
    WebDriverWait(browser, 10).until(lambda _: part.get_attribute("open") is not None)
    assert browser.find_element(By.CSS_SELECTOR, "#study-1-devices table.map").is_displayed()


def test_table_is_sorted_by_mouse_and_by_keyboard(browser_at: Open, page_file: Path) -> None:
    browser = browser_at(page_file)
    button = browser.find_element(By.CSS_SELECTOR, f"{FIRST_TABLE} thead th:nth-child(5) button")
    before = [float(text) for text in column(browser, 5)]
    assert before != sorted(before)
    button.click()
    assert heading(browser, 5)[1] == "descending", "numbers: the highest first"
    assert [float(text) for text in column(browser, 5)] == sorted(before, reverse=True)
    button.send_keys(Keys.ENTER)
    assert heading(browser, 5)[1] == "ascending"
    assert [float(text) for text in column(browser, 5)] == sorted(before)
    browser.find_element(By.CSS_SELECTOR, f"{FIRST_TABLE} thead th:nth-child(1) button").send_keys(Keys.SPACE)
    assert (heading(browser, 1)[1], heading(browser, 5)[1]) == ("ascending", None)
    assert column(browser, 1) == [f"trial {number}" for number in range(24)], "trial 10 comes after trial 9"


def test_first_stop_of_the_keyboard_skips_to_the_report(browser_at: Open, page_file: Path) -> None:
    browser = browser_at(page_file)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    link = browser.switch_to.active_element
    assert link.text == "Skip to the report"
    assert link.rect["x"] >= 0, "and can be seen"
    link.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"


def test_dark_page_has_dark_charts_and_follows_a_change(browser_at: Open, page_file: Path) -> None:
    browser = browser_at(page_file, dark=True)

    def looks() -> tuple[str, str, str]:
        return tuple(
            browser.execute_script(
                "const of = (e, name) => e && getComputedStyle(e)[name];"
                "return [of(document.body, 'backgroundColor'), of(document.querySelector('.xtick text'), 'fill'),"
                " of(document.querySelector('.scatterlayer .point'), 'fill')]"
            )
        )

    dark = looks()
    assert brightness(dark[0]) < 0.2
    assert brightness(dark[1]) > 0.7
    light_scheme = [{"name": "prefers-color-scheme", "value": "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": light_scheme})
    WebDriverWait(browser, 30).until(lambda _: brightness(looks()[1]) < 0.3)
    assert brightness(looks()[0]) > 0.8
    assert looks()[2] != dark[2], "marks have the colours of the other scheme"


def brightness(colour: str) -> float:
    """From 0 to 1, of a CSS ``rgb(…)``."""
    channels = [float(part) for part in colour.removeprefix("rgba(").removeprefix("rgb(").rstrip(")").split(",")[:3]]
    return sum(channels) / (3 * 255)


@pytest.mark.parametrize("width", [320, 390])
def test_phone_scrolls_tables_inside_their_box_and_never_the_page(
    browser_at: Open, page_file: Path, width: int
) -> None:
    browser = browser_at(page_file, width=width)
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    box = browser.find_element(By.CSS_SELECTOR, "#study-1-scores .scroll")
    assert browser.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", box)
    first = browser.find_element(By.CSS_SELECTOR, f"{FIRST_TABLE} tbody th")
    left = first.rect["x"]
    browser.execute_script("arguments[0].scrollLeft = 300", box)
    assert first.rect["x"] == pytest.approx(left, abs=2), "the first column stays"


def test_box_that_holds_more_than_it_shows_says_so_until_its_end(browser_at: Open, page_file: Path) -> None:
    browser = browser_at(page_file, width=390)
    box = browser.find_element(By.CSS_SELECTOR, "#study-1-scores .scroll")
    hint = browser.find_element(By.CSS_SELECTOR, "#study-1-scores .hint")
    assert "more to the right" in hint.text
    assert "more" in (box.get_attribute("class") or "").split()
    browser.execute_script("arguments[0].focus(); arguments[0].scrollIntoView()", box)
    box.send_keys(Keys.ARROW_RIGHT)
    WebDriverWait(browser, 10).until(lambda b: b.execute_script("return arguments[0].scrollLeft", box) > 0)
    browser.execute_script("arguments[0].scrollLeft = 10000", box)
    WebDriverWait(browser, 10).until(lambda _: "more" not in (box.get_attribute("class") or "").split())


def test_commands_are_whole_on_a_phone_and_on_a_desk_nothing_scrolls_the_page(
    browser_at: Open, page_file: Path
) -> None:
    browser = browser_at(page_file, width=390)
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    cut = "return [...document.querySelectorAll('pre')].filter((e) => e.scrollWidth > e.clientWidth).length"
    assert browser.find_elements(By.TAG_NAME, "pre")
    assert browser.execute_script(cut) == 0
    line = browser.find_elements(By.CSS_SELECTOR, "#study-2-choice pre code")[-1]
    assert line.get_attribute("textContent") == "asc predict models:/asc-student@champion recordings/", "to be copied"
    browser = browser_at(page_file, width=1_280)
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    assert browser.execute_script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_of_the_map_can_be_read(browser_at: Open, page_file: Path, dark: bool) -> None:
    browser = browser_at(page_file, dark=dark)
    browser.find_element(By.XPATH, "//nav//button[text()='Unfold all']").click()
    colours = browser.execute_script(
        "return [...document.querySelectorAll('table.map td')].map((cell) => {"
        " const style = getComputedStyle(cell); return [style.backgroundColor, style.color]; })"
    )
    assert len(colours) > 100
    assert min(contrast(hexadecimal(fill), hexadecimal(ink)) for fill, ink in colours) >= 4.5


def hexadecimal(colour: str) -> str:
    """A CSS ``rgb(…)`` as ``#rrggbb``."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", colour)[:3])


def test_hostile_names_run_nothing_and_are_shown_as_they_are(browser_at: Open, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    study = make_study(HOSTILE, 12, group_of=HOSTILE_GROUPS, teacher_name=HOSTILE)
    path.write_text(render([Findings(study)], Format.html), encoding="utf-8")
    browser = browser_at(path, width=390)
    assert browser.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert browser.find_elements(By.CSS_SELECTOR, "img, .chart b, .chart a") == []
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    WebDriverWait(browser, 60).until(
        lambda b: (
            "<b>bold</b>"
            in [each.get_attribute("textContent") for each in b.find_elements(By.CSS_SELECTOR, ".xtick text")]
        )
    )
    assert complaints(browser) == [], "no script was even tried and refused"
    assert asked_for(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390


def test_page_prints_light_and_unfolded(browser_at: Open, page_file: Path) -> None:
    browser = browser_at(page_file, dark=True)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert brightness(browser.execute_script("return getComputedStyle(document.body).backgroundColor")) > 0.8
    assert browser.find_elements(By.CSS_SELECTOR, "details:not([open])") == []
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert brightness(browser.execute_script("return getComputedStyle(document.body).backgroundColor")) < 0.2
    assert browser.find_elements(By.CSS_SELECTOR, "details:is(.folded, .part)[open]") == []
