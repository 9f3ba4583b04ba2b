"""A page of a made-up study, and a browser to look at it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from asc_experiments.report.analysis.findings import Findings
from asc_experiments.report.data.study_runs import StudyRuns
from asc_experiments.report.render.formats import Format
from asc_experiments.report.writing import render
from tests.browser import chromium
from tests.report.made import make_study


@pytest.fixture(scope="session")
def made() -> StudyRuns:
    """A made-up search of 24 trials, of which the best were tried again."""
    return make_study(replicated=True)


@pytest.fixture(scope="session")
def page_file(made: StudyRuns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the made-up search beside another study."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    other = make_study("another", 6, seed=3, seeds=1, split="test", n_pruned=0)
    path.write_text(render([Findings(made), Findings(other)], Format.html), encoding="utf-8")
    return path


@pytest.fixture
def browser_at(tmp_path: Path) -> Iterator[Callable[..., WebDriver]]:
    """Open a page in headless Chromium once its charts are drawn; skipped where there is no Chromium."""
    with chromium(tmp_path / "profile") as browser:

        def open_(path: Path, width: int = 1_200, dark: bool = False) -> WebDriver:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
            told = [{"name": name, "value": value} for name, value in features.items()]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": told})
            browser.get(path.absolute().as_uri())
            wait_until_drawn(browser)
            return browser

        yield open_


def wait_until_drawn(browser: WebDriver) -> None:
    """Wait until the page says that its charts are drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda b: b.execute_script("return document.documentElement.dataset.drawn"))
