"""MLflow's own pages in a real browser: the table of trials, three runs compared, a trial's figures."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

from asc_experiments.distill import TrainingContext
from asc_experiments.study.definition.study_file import read_study
from asc_experiments.study.runner.driver import Driver
from asc_experiments.study.storage.open_storage import open_storage
from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.links import page_of, page_of_comparison, page_of_run
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.client.records import KIND
from asc_experiments.tracking.registry.registration import register_best
from asc_experiments.tracking.trials import SEED_KIND, TRIAL, finished_trials
from asc_experiments.tracking.ui.first_visit import APP, create_app
from asc_experiments.tracking.ui.server import HOST, server_command, server_environment
from asc_experiments.tracking.ui.table_view import page_view, pages
from tests.browser import chromium
from tests.tracking.ui.test_server import free_port, wait_until_healthy

_SECONDS = 60


@pytest.fixture
def studied(open_bench: Callable[..., TrainingContext], study_file: Callable[..., Path], workspace: Path) -> Tracking:
    """The tracking server of a workspace with a study of three trials."""
    study = read_study(study_file(), {"trials": 3})
    bench = open_bench(study.validation)
    Driver(study, bench, open_storage(workspace, None)).run()
    return bench.tracking


@pytest.fixture
def address(studied: Tracking, tmp_path: Path) -> Iterator[str]:
    """Where MLflow's server shows that workspace, as ``asc ui`` starts it."""
    port = free_port()
    command = server_command(port)
    command += [] if APP in command else ["--app-name", APP]
    environment = os.environ | server_environment(studied.uri, port) | {"PYTHONPATH": _told_of_app(tmp_path)}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until_healthy(f"http://{HOST}:{port}")
        yield f"http://{HOST}:{port}"
    finally:
        server.terminate()
        server.wait()


def _told_of_app(folder: Path) -> str:
    """A search path on which MLflow finds our application, whenever the program was installed."""
    told = folder / "asc_told-0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: asc-told\nVersion: 0\n")
    (told / "entry_points.txt").write_text(f"[mlflow.app]\n{APP} = {create_app.__module__}:{create_app.__name__}\n")
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


def wait_for(browser: WebDriver, *texts: str) -> None:
    """Wait until the page shows all of these."""
    missing = list(texts)

    def shown(page: WebDriver) -> bool:
        body = page.find_element(By.TAG_NAME, "body").text
        missing[:] = [text for text in texts if text not in body]
        return not missing

    try:
        WebDriverWait(browser, _SECONDS, ignored_exceptions=[StaleElementReferenceException]).until(shown)
    except TimeoutException:
        raise AssertionError(f"{browser.current_url} does not show {missing}") from None


def tick(browser: WebDriver, runs: int) -> None:
    """Tick the boxes of the first so many rows of the table, as a person does."""
    boxes = ".ag-row .ag-selection-checkbox input[aria-label*='toggle row selection']"
    for row in range(runs):
        WebDriverWait(browser, _SECONDS, ignored_exceptions=[StaleElementReferenceException]).until(
            lambda page, row=row: _ticked(page.find_elements(By.CSS_SELECTOR, boxes), row)
        )


def _ticked(boxes: Sequence[WebElement], row: int) -> bool:
    """Click a row's box unless it is ticked; whether it is."""
    if row < len(boxes) and not boxes[row].is_selected():
        boxes[row].click()
    return row < len(boxes) and boxes[row].is_selected()


def press(browser: WebDriver, name: str) -> None:
    """Press a button by its name, once it can be pressed."""
    by = (By.XPATH, f"//button[normalize-space()='{name}']")
    WebDriverWait(browser, _SECONDS).until(expected_conditions.element_to_be_clickable(by)).click()


def assert_compares(browser: WebDriver, *runs: RunRecord) -> None:
    """The page compares these runs, device by device."""
    wait_for(browser, "accuracy/device/s4", *(run.name for run in runs))
    table = browser.find_element(By.TAG_NAME, "body").text
    for run in runs:
        assert str(round(run.metrics["accuracy/device/s4"], 3)) in table


def test_table_opens_as_one_compares_by_ticked_runs_compare_per_device_and_a_trial_shows_its_figures(
    studied: Tracking, address: str, tmp_path: Path
) -> None:
    trials = finished_trials(studied, "tiny")
    first = trials[0]
    teachers = studied.experiment("teachers")
    teacher = studied.search([teachers], "attributes.status = 'FINISHED'")[0]
    with chromium(tmp_path / "profile") as browser:
        browser.get(f"{address}/{pages(studied)['tiny']}")
        wait_for(browser, "trial 0", "trial 1", "trial 2", "teachers", "objective", "accuracy/overall")
        rows = browser.find_element(By.TAG_NAME, "body").text
        assert not re.search(r"\bseed \d", rows), "seeds stay out of the table"
        tick(browser, 3)
        press(browser, "Compare")
        assert_compares(browser, *trials)

        # A teacher is in another experiment: MLflow has no boxes for both, so people follow a link.
        browser.get("about:blank")  # MLflow's page of compared runs does not follow a change of its own address
        browser.get(f"{address}/{page_of_comparison([first, teacher])}")
        assert_compares(browser, first, teacher)

        browser.get(f"{address}/{page_of_run(first.experiment_id, first.run_id)}")
        wait_for(browser, "taught by", "Test fold")
        browser.get(f"{address}/{page_of_run(first.experiment_id, first.run_id, 'artifacts/figures/devices.png')}")
        wait_for(browser, "devices.png", "confusion.png")
        WebDriverWait(browser, _SECONDS).until(
            lambda page: page.find_elements(
                By.CSS_SELECTOR, "img[src*='blob:'], img[src^='data:image'], img[src*='get-artifact']"
            )
        )


def follow(browser: WebDriver, name: str) -> None:
    """Click on a link by its text, once it is there; a page that draws itself anew meanwhile gets another click."""

    def clicked(page: WebDriver) -> bool:
        page.find_element(By.XPATH, f"//a[normalize-space()='{name}']").click()
        return True

    WebDriverWait(browser, _SECONDS, ignored_exceptions=[WebDriverException]).until(clicked)


def test_clicks_from_home_to_table_trial_student_and_version_stay_in_model_training(
    studied: Tracking, address: str, tmp_path: Path
) -> None:
    register_best(studied, "tiny", allow_chance=True)
    first = finished_trials(studied, "tiny")[0]
    (student, *_) = studied.search([first.experiment_id], where({KIND: SEED_KIND, TRIAL: first.tags[TRIAL]}))
    with chromium(tmp_path / "profile") as browser:
        browser.get(address)
        follow(browser, "Experiments")
        follow(browser, "tiny")
        wait_for(browser, "trial 0", "trial 1", "trial 2", "teachers", "objective", "accuracy/overall")
        follow(browser, first.name)
        wait_for(browser, "taught by", "Child runs")
        follow(browser, student.name)
        wait_for(browser, "Parent run", "train/loss")
        follow(browser, "Model registry")
        follow(browser, "asc-student")
        follow(browser, "Version 1")
        wait_for(browser, "asc-student, version 1", "What may be said of it")
        shown = browser.find_element(By.TAG_NAME, "body").text
        assert "Model training" in shown
        for word in ("Judges", "Prompts", "Evaluation runs", "Ask questions about your experiments"):
            assert word not in shown


def test_view_that_is_too_long_for_a_tag_is_left_away() -> None:
    devices = [f"device-with-a-long-name-{number}" for number in range(60)]
    assert not any("sharedViewState" in key for key in page_view("trial", ["teachers"], devices, "objective"))


def test_pages_of_an_experiment_are_found_by_its_name(tracking: Tracking) -> None:
    found = tracking.experiment("seen")
    tracking.experiment("not of ours")
    tracking.describe(found, "note", page_view("trial", ["teachers"], ["a", "s4"], "objective"))
    assert pages(tracking) == {"seen": page_of(found)}
