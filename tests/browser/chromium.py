"""A browser as the tests drive it."""

import json
from typing import Any

from real_server import Server
from selenium import webdriver


class Browser:
    """A Chromium that remembers what it asked for and what it complained about."""

    def __init__(self, driver: webdriver.Chrome, server: Server) -> None:
        self.driver, self.server = driver, server

    def open(self, path: str) -> None:
        self.driver.get(f"{self.server.url}{path}")

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, violations of the content security policy among them."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] != "INFO"]

    def requests(self) -> list[str]:
        """The addresses on the network asked for since the last call; not the browser's own pages."""
        events: list[dict[str, Any]] = [
            json.loads(line["message"])["message"] for line in self.driver.get_log("performance")
        ]
        asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        urls = [str(params["request"]["url"]) for params in asked]
        return [url for url in urls if not url.startswith(("chrome:", "data:", "about:"))]
