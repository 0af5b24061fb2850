"""A real headless Chromium at the door of a real server; skipped, with the reason, where there is none."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

sys.path.append(str(Path(__file__).parent.parent / "http"))

from chromium import Browser
from lanes import first
from real_server import Server, serving
from small_town import build

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,1600",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(build(tmp_path_factory.mktemp("browser") / "town"), workers=1) as running:
        yield running


@pytest.fixture(scope="session", params=first(1, ["ja", "en"]))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def chromium(
    language: str, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[webdriver.Chrome]:
    """A Chromium that prefers the language."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium: no chromium or no chromedriver in PATH")
    options = Options()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", f"--lang={language}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        started = webdriver.Chrome(options=options, service=Service(driver))
    except WebDriverException as reason:
        pytest.skip(f"Chromium does not start here: {str(reason.msg).splitlines()[0]}")
    started.set_page_load_timeout(60)
    yield started
    started.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome, server: Server) -> Browser:
    """A browser that remembers nothing of the test before."""
    fresh = Browser(chromium, server)
    chromium.get("about:blank")
    fresh.complaints()
    fresh.requests()
    return fresh
