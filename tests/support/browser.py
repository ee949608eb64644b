"""Debian's Chromium, without a window, and what pages do in it: requests, messages, keys."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

#: Root has no sandbox, and containers have little shared memory.
_SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--disable-background-networking")  # fmt: skip


class Browser:
    """A browser with one page."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, page: Path | str, width: int = 1200, height: int = 900, **media: str) -> None:
        """Open a file or an address in a window of that size; `media` are features such as ``prefers_color_scheme``."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
        self.driver.get(page if isinstance(page, str) else page.as_uri())
        self.run("return document.fonts.ready.then(() => new Promise(requestAnimationFrame))")

    def run(self, script: str, *arguments: object) -> Any:
        """What a script gives; after it the page is drawn anew."""
        return self.driver.execute_script(script, *arguments)

    def click(self, element: WebElement) -> None:
        """Click on an element, wherever it is: what moves meanwhile on a busy machine does not get the click."""
        self.run("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))", element)

    def messages(self) -> list[str]:
        """What the console has had since it was asked last."""
        return [entry["message"] for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]

    def _log(self, name: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return found

    def shot(self, path: Path) -> None:
        """Save what is seen."""
        assert self.driver.save_screenshot(str(path))


@contextmanager
def browser() -> Generator[Browser]:
    """A new one; it is ended with the block."""
    options = Options()
    options.binary_location = need_tool("chromium")
    for switch in _SWITCHES:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(need_tool("chromedriver")))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
