"""Take the README's picture of MLflow's comparison page.

What it needs: `make install`, Chromium and its driver (Debian: chromium, chromium-driver), a workspace with a study.
Command:       .venv/bin/python docs/take_screenshots.py WORKSPACE STUDY docs/images/compare.png
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from asc_experiments.tracking import Tracking, default_tracking_uri
from asc_experiments.tracking.server import HOST, server_command, server_environment
from asc_experiments.tracking.trials import best_trial, finished_trials


def main(workspace: Path, study: str, picture: Path) -> None:
    """Serve the workspace, open the comparison of the best trial, another trial and a teacher, and save the page."""
    tracking = Tracking.open(workspace)
    trials = finished_trials(tracking, study)
    best = best_trial(trials, study)
    other = next(trial for trial in trials if trial.run_id != best.run_id)
    key = best.tags["asc.teachers"].split(",")[0]
    teachers = tracking.experiment("teachers")
    teacher = tracking.search([teachers], f"tags.`asc.teacher` = '{key}' AND attributes.status = 'FINISHED'")[0]
    runs = quote(str([best.run_id, other.run_id, teacher.run_id]).replace("'", '"').replace(" ", ""))
    experiments = quote(f'["{best.experiment_id}","{teachers}"]')
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    command = server_command(default_tracking_uri(workspace), port)
    server = subprocess.Popen(command, env=os.environ | server_environment(), stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://{HOST}:{port}/health")
        photograph(f"http://{HOST}:{port}/#/compare-runs?runs={runs}&experiments={experiments}", picture)
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    """Wait until the server answers."""
    for _ in range(120):
        try:
            if requests.get(address, timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)
    raise TimeoutError(address)


def photograph(address: str, picture: Path) -> None:
    """Open a page in headless Chromium, wait for its metrics, scroll to them, save what is seen."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    with tempfile.TemporaryDirectory() as profile:
        for flag in (
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--window-size=1300,1000", f"--user-data-dir={profile}",
        ):  # fmt: skip
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        try:
            browser.get(address)
            WebDriverWait(browser, 60).until(lambda page: "accuracy/device/s4" in page.page_source)
            time.sleep(2)
            for button in browser.find_elements(By.CSS_SELECTOR, "button[aria-label*='lose']"):
                if button.is_displayed():
                    button.click()  # the assistant's panel
            browser.find_element(By.XPATH, "//*[text()='Parameters']").click()  # folds them
            time.sleep(1)
            first = browser.find_element(By.XPATH, "//*[text()='accuracy/device/a']")
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", first)
            time.sleep(1)
            browser.save_screenshot(str(picture))
        finally:
            browser.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
