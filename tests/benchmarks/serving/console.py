"""The console over a large gallery: from a click to the cards, frames while 1,000 cards scroll, bytes and first paint.

The gallery's persons are rows without faces: what is measured is the page, its list and its search.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import asyncpg
from playwright.async_api import Browser, Page, async_playwright

from store.embedded.local import temporary_postgres
from tests.console.browser import launch
from tests.console.service import Service
from tests.ports import free_port

COLLECTION = "crowd"
SCROLLED_CARDS = 1_000

FROM_CLICK_TO_CARDS = """([link, wanted]) => new Promise((resolve) => {
  const started = performance.now();
  document.querySelector(`nav a[href="${link}"]`).click();
  const look = () => {
    if (document.querySelectorAll(".person-card").length < wanted) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - started)));  // after it was painted
  };
  look();
})"""
FROM_LETTER_TO_CARDS = """(text) => new Promise((resolve) => {
  const field = document.querySelector("input[type=search]");
  const started = performance.now();
  field.value = text;
  field.dispatchEvent(new Event("input"));
  const look = () => {
    const cards = [...document.querySelectorAll(".person-name")];
    if (!cards.length || !cards.every((card) => card.textContent.includes(text))) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - started)));
  };
  look();
})"""
SCROLL = """(wanted) => new Promise((resolve) => {
  const gaps = [];
  let former = performance.now();
  const step = (now) => {
    gaps.push(now - former);
    former = now;
    scrollBy(0, 120);
    if (document.querySelectorAll(".person-card").length < wanted) return requestAnimationFrame(step);
    resolve(gaps.slice(1));
  };
  requestAnimationFrame(step);
})"""
LOADED = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  bytes: [...performance.getEntriesByType("resource"), ...performance.getEntriesByType("navigation")]
    .filter((entry) => !entry.name.includes("/v1/")).reduce((sum, entry) => sum + entry.transferSize, 0),
})"""


async def fill(url: str, persons: int) -> None:
    """Give the collection so many persons."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            """
            insert into persons (collection_pk, id, name, metadata)
            select collection_pk, 'person-' || lpad(number::text, 7, '0'), 'Person ' || number, '{}'
            from collections, generate_series(1, $1) as number
            where collections.id = $2
            """,
            persons,
            COLLECTION,
        )
        await connection.execute("update collections set person_count = $1 where id = $2", persons, COLLECTION)
        await connection.execute("analyze persons")
    finally:
        await connection.close()


async def measure(browser: Browser, service: Service, rounds: int) -> dict[str, Any]:
    """Return what a user waits for, in milliseconds, and bytes."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    page = await context.new_page()
    await page.goto(f"{service.url}/#token={service.token()}&/people/{COLLECTION}")
    await page.locator(".person-card").first.wait_for()
    loaded = await page.evaluate(LOADED)
    clicks, letters = [], []
    for number in range(rounds):
        await page.evaluate("location.hash = '#/collections'")
        await page.locator("main .collection").first.wait_for()
        await page.locator(f'nav a[href="#/people"], nav a[href="#/people/{COLLECTION}"]').first.wait_for()
        clicks.append(await page.evaluate(FROM_CLICK_TO_CARDS, [await people_link(page), 60]))
        letters.append(await page.evaluate(FROM_LETTER_TO_CARDS, str(70_000 + 131 * number)))
        await page.evaluate("history.replaceState(null, '', location.hash.split('?')[0])")
    await page.goto(f"{service.url}/#/people/{COLLECTION}")
    await page.reload()
    await page.locator(".person-card").first.wait_for()
    gaps = await page.evaluate(SCROLL, SCROLLED_CARDS)
    await context.close()
    return {
        "first_paint_ms": round(loaded["paint"]),
        "bytes": loaded["bytes"],
        "click_to_cards_ms": percentiles(clicks),
        "search_to_cards_ms": percentiles(letters),
        "frame_ms_while_scrolling": percentiles(gaps),
    }


async def people_link(page: Page) -> str:
    """Return the address of the navigation's entry for people."""
    return str(await page.locator('nav a[href^="#/people"]').first.get_attribute("href"))


def percentiles(values: list[float]) -> dict[str, float]:
    """Return p50, p95 and the most of `values`."""
    ordered = statistics.quantiles(values, n=20, method="inclusive")
    return {"p50": round(ordered[9], 1), "p95": round(ordered[18], 1), "max": round(max(values), 1)}


async def run(persons: int, rounds: int) -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="fs", dir="/tmp"))
    with temporary_postgres(port=free_port()) as postgres:
        service = Service(folder, database_url=postgres.url)
        try:
            service.start()
            with service.client() as client:
                client.post("/v1/collections", json={"id": COLLECTION, "name": "Crowd"}).raise_for_status()
            await fill(postgres.url, persons)
            async with async_playwright() as playwright:
                browser = await launch(playwright)
                for name, value in (await measure(browser, service, rounds)).items():
                    print(name, value)
                await browser.close()
        finally:
            service.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    asyncio.run(run(arguments.persons, arguments.rounds))
