"""The dashboard in a real browser: Chromium from the system's packages, driven by Playwright; left out without them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.api.process import serving

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

JOB = """
name: seen-in-a-browser
data: {source: {kind: catalogue, name: planted, options: {rows: 300}}}
tasks:
  - {name: task_0, kind: regression}
  - {name: task_1, kind: regression}
space: {name: mtnas, options: {layers: 1, subnets: 2, width: 4}}
search: {kind: random}
training: {lr: 0.01, epochs: 1, least_steps: 4, extend: 0}
budget: {trials: 3}
protocol: {baselines: [shared_bottom, mmoe], boosted_trees: false, finalists: 2, seeds: 1}
export: {ensemble: none}
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with a worker that trains in its own process."""
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {"MTNAS_HOME": str(home), "MTNAS_EXECUTOR": "local"}
    with serving(home) as address:
        worker = subprocess.Popen([sys.executable, "-m", "workers"], env=environment)
        try:
            yield address
        finally:
            worker.terminate()
            worker.wait(60)


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """A page that fails the test with whatever the console says: scripts refused by the policy are told there."""
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(120_000)
    opened, said = context.new_page(), []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    context.close()
    assert said == []


@pytest.fixture(scope="module")
def finished(page: playwright.Page, url: str) -> str:
    """Address of a job that was checked, submitted and watched to its end on its page alone."""
    page.goto(f"{url}/new")
    page.get_by_label("specification").fill(JOB)
    page.get_by_role("button", name="check").click()
    playwright.expect(page.get_by_text("routes in the space")).to_be_visible()
    page.get_by_role("button", name="submit").click()
    page.wait_for_url("**/jobs/*")
    playwright.expect(page.get_by_text("succeeded").first).to_be_visible(timeout=120_000)
    page.reload()
    return str(page.url)


def test_the_winner_is_opened_and_compared(page: playwright.Page, finished: str) -> None:
    page.goto(f"{finished}/routes")
    rows = page.locator("table tbody tr")
    assert rows.count() >= 3
    rows.first.get_by_role("link").first.click()
    page.wait_for_url("**/routes/*")
    playwright.expect(page.locator("svg, img").first).to_be_visible()
    page.goto(f"{finished}/report")
    playwright.expect(page.get_by_text("mmoe").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_no_page_is_wider_than_its_window_or_hard_to_use(
    browser: playwright.Browser, url: str, finished: str, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    opened = context.new_page()
    pages = (*(f"{url}/{name}" for name in ("", "new", "datasets", "system")), finished)
    for path in (*pages, f"{finished}/routes", f"{finished}/report"):
        opened.goto(path)
        over = opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{path} is {over} pixels wider than {width}"
        found = axe.run(opened).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        told = [(each["id"], each["nodes"][0]["html"][:120]) for each in serious]
        assert told == [], f"{path}, {scheme}, {width}"
    context.close()


def test_a_job_is_submitted_by_keyboard_alone(page: playwright.Page, url: str) -> None:
    page.goto(f"{url}/new")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "spec":
            break
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(JOB.replace("seen-in-a-browser", "typed"))
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "submit":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")
    playwright.expect(page.get_by_role("heading", name="typed")).to_be_visible()
