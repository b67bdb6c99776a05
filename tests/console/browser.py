"""Chromium, and pages in it that fail their test for anything a user should never meet."""

import base64
import mimetypes
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Playwright, Response

CHROMIUM = shutil.which("chromium")
HOW_TO_GET_IT = "no Chromium on this machine: apt-get install -y chromium"
ARGUMENTS = [
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
DEADLINE_MS = 20_000

# Puts a real DataTransfer on the page and drops it, as a hand does.
DROP = """async ([files, target]) => {
  const transfer = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  const place = document.querySelector(target);
  for (const kind of ["dragenter", "dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""
VIOLATIONS = """addEventListener("securitypolicyviolation", (event) => {
  console.error("content security policy:", event.violatedDirective, event.blockedURI, event.sourceFile);
})"""


async def launch(playwright: Playwright, *arguments: str) -> Browser:
    """Return Debian's Chromium with a profile of its own, which goes with it."""
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])


@dataclass
class Watched:
    """A page, and what went wrong in it. `expected`: status codes of answers that the test is about."""

    page: Page
    expected: set[int] = field(default_factory=set)
    may_lose_the_service: bool = False
    problems: list[str] = field(default_factory=list)

    async def go(self, *words: str) -> None:
        """Go to a screen, about what `words` say, and return once it is shown."""
        address = "#/" + "/".join(words)
        await self.page.evaluate("address => { location.hash = address }", address)
        await self.page.locator(f'main[data-shown="{address}"]').wait_for()

    async def drop(self, files: Sequence[Path], target: str = "main") -> None:
        """Drop `files` on the element that the selector `target` finds."""
        carried = [
            (path.name, mimetypes.guess_type(path.name)[0], base64.b64encode(path.read_bytes()).decode())
            for path in files
        ]
        await self.page.evaluate(DROP, [carried, target])

    def card(self, text: str) -> Locator:
        """Return the card of a face, among those of a photo that was tried, that says `text`."""
        return self.page.locator(".face-card").filter(has_text=text)

    def watch(self) -> None:
        """Take note of errors of the console and the page, and of requests without an answer or with a bad one."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        self.page.on("response", self._on_response)
        self.page.on("requestfailed", lambda request: self._on_failed(request.url, str(request.failure)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if message.text.startswith("Failed to load resource"):  # told by `_on_response` and `_on_failed`
            return
        self.problems.append(f"console {message.type}: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.problems.append(f"{response.status} {response.url}")

    def _on_failed(self, url: str, failure: str) -> None:
        if failure != "net::ERR_ABORTED" and not self.may_lose_the_service:  # aborted: the user went on
            self.problems.append(f"{failure} {url}")


@asynccontextmanager
async def watched_page(browser: Browser, **context: Any) -> AsyncIterator[Watched]:
    """Give a page of a fresh context; afterwards fail for every problem that it had."""
    wanted: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", **context}
    opened = await browser.new_context(**wanted)
    opened.set_default_timeout(DEADLINE_MS)
    await opened.add_init_script(VIOLATIONS)
    watched = Watched(await opened.new_page())
    watched.watch()
    try:
        yield watched
    finally:
        await opened.close()
    assert watched.problems == []
