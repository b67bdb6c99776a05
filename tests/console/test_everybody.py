"""For everybody: a screen reader, a phone, both themes, enlarged text."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.console.browser import Watched
from tests.console.conftest import Gallery, Opens
from tests.console.service import Album, Service

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
ANIMATIONS_ENDED = "() => document.getAnimations().every((each) => each.playState !== 'running')"
SCREENS = ("try", "compare", "people", "group", "import", "collections", "system")


def axe() -> str:
    """Return axe-core's script, which a package of the tests brings."""
    package = importlib.util.find_spec("axe_core_python")
    assert package is not None
    assert package.submodule_search_locations
    return (Path(package.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


async def faults(page: Page) -> list[str]:
    """Return what axe finds that is serious or critical, once everything has its final colour."""
    await page.wait_for_function(ANIMATIONS_ENDED)
    await page.evaluate(axe())
    found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{rule['id']}: {json.dumps([node['target'] for node in rule['nodes']][:3])}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


async def filled(service: Service, gallery: Gallery, album: Album, ui: Watched, screen: str) -> None:
    """Show a screen with something on it."""
    if screen in ("collections", "system"):
        await ui.go(screen)
        await ui.page.locator("main .card").first.wait_for()
        return
    await ui.go(screen, gallery.id)
    if screen in ("try", "group"):
        await ui.drop([album.group])
        await ui.page.locator(".face-card").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_on_any_screen(
    service: Service, gallery: Gallery, album: Album, opened: Opens, scheme: str
) -> None:
    ada = gallery.enrol("Ada", album.portraits[0])
    gallery.enrol("Grace", album.portraits[1])
    found = {}
    async with opened(color_scheme=scheme) as ui:
        await ui.page.goto(f"{service.url}/#token={service.token()}&/people/{gallery.id}")
        for screen in SCREENS:
            await filled(service, gallery, album, ui, screen)
            found[screen] = await faults(ui.page)
        await ui.go("person", gallery.id, ada)
        await ui.page.locator(".face").first.wait_for()
        found["person"] = await faults(ui.page)
        await ui.page.get_by_role("button", name="Merge").click()
        found["dialog"] = await faults(ui.page)

    assert found == {screen: [] for screen in found}


async def test_axe_finds_nothing_serious_where_one_signs_in(service: Service, opened: Opens) -> None:
    async with opened() as ui:
        await ui.page.goto(service.url)
        await expect(ui.page.get_by_role("heading", name="Sign in")).to_be_visible()

        assert await faults(ui.page) == []


@pytest.mark.parametrize("context", [PHONE, {"viewport": {"width": 640, "height": 400}}], ids=["phone", "200 % zoom"])
async def test_no_screen_is_wider_than_its_window(
    service: Service, gallery: Gallery, album: Album, opened: Opens, context: dict[str, Any]
) -> None:
    ada = gallery.enrol("Ada", album.portraits[0])
    gallery.enrol("A person with a name that is long enough to need an end of its own", album.portraits[1])
    wide = {}
    async with opened(**context) as ui:
        await ui.page.goto(f"{service.url}/#token={service.token()}&/people/{gallery.id}")
        for screen in SCREENS:
            await filled(service, gallery, album, ui, screen)
            wide[screen] = await ui.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        await ui.go("person", gallery.id, ada)
        wide["person"] = await ui.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert {screen: over for screen, over in wide.items() if over > 0} == {}


async def test_people_are_reached_and_chosen_by_keyboard(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    gallery.enrol("Ada", album.portraits[0], id="a")
    gallery.enrol("Grace", album.portraits[1], id="b")
    await ui.go("people", gallery.id)
    await ui.page.get_by_role("link", name="Ada").focus()

    await ui.page.keyboard.press("ArrowRight")
    await ui.page.keyboard.press("Space")
    await expect(ui.page.get_by_text("1 selected")).to_be_visible()
    await ui.page.keyboard.press("Enter")

    await expect(ui.page.get_by_role("heading", name="Grace")).to_be_visible()
