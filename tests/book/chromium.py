"""Headless Chromium for the tests of the built book, driven over the DevTools protocol."""

import json
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import websocket

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
OPTIONS += [f"--disable-{what}" for what in ("background-networking", "component-update", "sync", "extensions")]

LEFT = ("navigated", "Cannot find context", "context was destroyed")  # DevTools' words for a page that has gone


def program() -> str | None:
    """The path of a Chromium on this machine, or None."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


class Navigated(Exception):
    """The page left for another one while it was asked; what was asked of it has no answer."""


class Browser:
    """One headless Chromium with one page; collects what the page logs and asks for."""

    def __init__(self) -> None:
        self.errors: list[str] = []  # console errors, uncaught exceptions, files that are missing
        self.requests: list[str] = []  # every address that the page asked for
        self._number = 0
        self._events: list[dict] = []

    def __enter__(self) -> Self:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = [program(), *OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port_file = Path(self._profile.name) / "DevToolsActivePort"
        until(lambda: port_file.is_file() and len(port_file.read_text().splitlines()) == 2, "Chromium did not start")
        port, path = port_file.read_text().splitlines()
        self._socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", suppress_origin=True, timeout=300)
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._profile.cleanup()

    def send(self, method: str, **parameters: Any) -> dict:
        """Call a DevTools method and return its result; events that arrive meanwhile are noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                if "error" in answer and any(sign in answer["error"]["message"] for sign in LEFT):
                    raise Navigated(answer["error"]["message"])
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict) -> None:
        what, about = event.get("method"), event.get("params", {})
        if what == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif what == "Network.loadingFailed" and not about.get("canceled"):
            self.errors.append(f"did not load: {about['errorText']}")
        elif what == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif what == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(part.get("value", part)) for part in about["args"]))
        elif what == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")

    def evaluate(self, script: str) -> Any:
        """The JSON value of a JavaScript expression in the page; a promise is awaited."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def goto(self, address: str) -> None:
        """Open an address and wait until it is loaded and its equations are set."""
        self.errors.clear()
        self.requests.clear()
        self.send("Page.navigate", url=address)
        loaded = "location.href !== 'about:blank' && document.readyState === 'complete'"
        equations = "(window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true)"
        until(lambda: self.evaluate(f"{loaded} && {equations}"), f"{address} did not load")

    def resize(self, width: int, height: int = 900) -> None:
        """Give the page a screen of this size in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )


def until(condition: Any, complaint: str, seconds: float = 120) -> None:
    """Wait for `condition()`, asked again of a page that has left; fail with `complaint` if it does not come."""
    end = time.monotonic() + seconds
    while True:
        with suppress(Navigated):
            if condition():
                return
        assert time.monotonic() < end, complaint
        time.sleep(0.05)
