"""Take the pictures of the documentation: MLflow's table and comparison page, the report in light, dark and narrow.

What it needs: `make install browser`, a workspace with a finished study.
Command:       .venv/bin/python -m docs.take_screenshots WORKSPACE STUDY   (writes docs/images/*.png)
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from asc_experiments.tracking import RunRecord, Tracking
from asc_experiments.tracking.client.links import page_of_comparison
from asc_experiments.tracking.client.queries import where
from asc_experiments.tracking.trials import TEACHER_KEY, best_trial, finished_trials, keys_of
from asc_experiments.tracking.ui.server import HOST, server_command, server_environment
from asc_experiments.tracking.ui.table_view import pages
from tests.browser import chromium
from tests.tracking.ui.test_server import free_port, wait_until_healthy

IMAGES = Path(__file__).parent / "images"


def main(workspace: Path, study: str) -> None:
    """Serve the workspace and take every picture."""
    tracking = Tracking.open(workspace)
    port = free_port()
    environment = os.environ | server_environment(tracking.uri, port)
    server = subprocess.Popen(server_command(port), env=environment, stderr=subprocess.DEVNULL)
    address = f"http://{HOST}:{port}"
    try:
        wait_until_healthy(address)
        with tempfile.TemporaryDirectory() as folder:
            with chromium(Path(folder, "wide"), 1500, 760) as browser:
                take(browser, f"{address}/{pages(tracking)[study]}", "accuracy/overall", "trials.png")
            with chromium(Path(folder, "compare"), 1300, 1000) as browser:
                page = page_of_comparison(compared(tracking, study))
                take(browser, f"{address}/{page}", "accuracy/device/s4", "compare.png")
            take_report(workspace, study, Path(folder))
    finally:
        server.terminate()
        server.wait()


def compared(tracking: Tracking, study: str) -> list[RunRecord]:
    """The best trial, the best of the others, such as labels alone, where there is one, and a teacher of a trial."""
    trials = finished_trials(tracking, study)
    best = best_trial(trials, study)
    others = [trial for trial in trials if trial.run_id != best.run_id]
    shown = [best, best_trial(others, study)] if others else [best]
    if keys := [key for trial in (*shown, *trials) for key in keys_of(trial)]:
        shown += tracking.search(
            [tracking.experiment("teachers")], where({TEACHER_KEY: keys[0]}, status="FINISHED"), limit=1
        )
    return shown


def take(browser: WebDriver, address: str, text: str, picture: str) -> None:
    """Open a page of MLflow, wait for a text, close what is in the way, and save what is seen."""
    browser.get(address)
    WebDriverWait(browser, 60).until(lambda page: text in page.page_source)
    time.sleep(2)
    # The assistant's panel; by the page itself, since closing one button takes the others away.
    browser.execute_script("document.querySelectorAll(\"button[aria-label*='lose']\").forEach(each => each.click())")
    for heading in browser.find_elements(By.XPATH, "//*[text()='Parameters']"):
        if picture == "compare.png":
            heading.click()  # folds them
    time.sleep(1)
    if picture == "compare.png":
        first = browser.find_element(By.XPATH, "//*[text()='accuracy/device/a']")
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", first)
    time.sleep(1)
    browser.save_screenshot(str(IMAGES / picture))


def take_report(workspace: Path, study: str, folder: Path) -> None:
    """Write the report as a page; picture it in light, in dark, and on a phone."""
    page = folder / "report.html"
    command = [sys.executable, "-m", "asc_experiments", "report", study, "--workspace", str(workspace)]
    subprocess.run([*command, "--format", "html", "-o", str(page)], check=True)
    for name, width, height, scheme in (
        ("report-light", 1200, 1400, "light"), ("report-dark", 1200, 1400, "dark"), ("report-phone", 420, 900, "dark"),
    ):  # fmt: skip
        with chromium(folder / name, width, height) as browser:
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)  # type: ignore[attr-defined]
            browser.get(page.as_uri())
            time.sleep(4)
            browser.save_screenshot(str(IMAGES / f"{name}.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
