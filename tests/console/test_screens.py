"""The screens for many people at once, for collections and for the service itself."""

import base64
from pathlib import Path

from playwright.async_api import Download, expect

from tests.console.browser import Watched
from tests.console.conftest import Gallery, Opens
from tests.console.service import Album, Service, grey_picture

# A folder cannot be dropped by script: a page makes no directory entries. So the import is given what a chosen folder
# gives, files with a path.
CHOOSE_FOLDER = """async ([files]) => {
  const input = document.querySelector("input[webkitdirectory]");
  const transfer = new DataTransfer();
  for (const [path, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const file = new File([bytes], path.split("/").at(-1), { type: "image/jpeg" });
    Object.defineProperty(file, "webkitRelativePath", { value: path });
    transfer.items.add(file);
  }
  const files_ = [...transfer.files];
  files_.forEach((file, place) => Object.defineProperty(file, "webkitRelativePath", { value: files[place][0] }));
  Object.defineProperty(input, "files", { value: files_, configurable: true });
  input.dispatchEvent(new Event("change"));
}"""


async def choose_folder(ui: Watched, files: dict[str, Path]) -> None:
    carried = [(path, base64.b64encode(file.read_bytes()).decode()) for path, file in files.items()]
    await ui.page.evaluate(CHOOSE_FOLDER, [carried])


async def read(download: Download) -> list[str]:
    """Return the lines of what was downloaded."""
    path = await download.path()
    return path.read_text(encoding="utf-8").splitlines()


async def test_every_unknown_face_of_a_group_photo_is_named_without_the_mouse(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    gallery.enrol("Ada", album.portraits[0])
    await ui.go("group", gallery.id)
    await ui.drop([album.group])
    await ui.page.get_by_role("combobox", name="Who is number 1?").focus()

    for name in ("Grace", "Edith"):
        await ui.page.keyboard.type(name)
        await ui.page.keyboard.press("Enter")
        await expect(ui.page.get_by_role("link", name=name)).to_be_visible()

    assert set(gallery.persons()) == {"Ada", "Grace", "Edith"}


async def test_a_folder_is_imported_and_again_brings_nothing_twice(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    folder = {
        "crew/Ada_Lovelace/1.jpg": album.portraits[0],
        "crew/Grace_Hopper/1.jpg": album.portraits[1],
        "crew/Grace_Hopper/grey.jpg": grey_picture(service.folder),
    }
    await ui.go("import", gallery.id)
    await choose_folder(ui, folder)
    await expect(ui.page.get_by_role("heading", name="Plan: 2 people")).to_be_visible()
    await ui.page.get_by_role("button", name="Import 3 photos").click()

    await expect(ui.page.get_by_role("heading", name="Imported")).to_be_visible()
    await expect(ui.page.locator(".rejections li")).to_have_text(["crew/Grace_Hopper/grey.jpgNo face was found in it."])
    async with ui.page.expect_download() as download:
        await ui.page.get_by_role("link", name="Report as CSV").click()
    report = await read(await download.value)
    assert sorted(report[1:])[0] == '"crew/Ada_Lovelace/1.jpg","Ada_Lovelace","enrolled",""'
    assert gallery.persons() == {"Ada Lovelace": 1, "Grace Hopper": 1}

    await choose_folder(ui, {path: file for path, file in folder.items() if "grey" not in path})

    await expect(ui.page.get_by_text("All of these photos are there already.")).to_be_visible()
    assert gallery.persons() == {"Ada Lovelace": 1, "Grace Hopper": 1}


async def test_a_collection_is_made_set_and_deleted_with_its_people_counted(
    service: Service, album: Album, ui: Watched
) -> None:
    await ui.go("collections")
    await ui.page.get_by_role("button", name="New collection").click()
    await ui.page.get_by_label("Name").fill("Größe & Co")
    await expect(ui.page.get_by_label("Id", exact=True)).to_have_value("grosse-co")
    await ui.page.get_by_role("button", name="Create").click()
    card = ui.page.locator(".collection").filter(has_text="Größe & Co")
    await card.get_by_role("button", name="Settings").click()
    await ui.page.get_by_role("slider").fill("0.55")
    await ui.page.get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("0.55")
    Gallery("grosse-co", service).enrol("Ada", album.portraits[0])
    await ui.page.reload()

    await card.get_by_role("button", name="Delete").click()
    await expect(ui.page.get_by_role("button", name="Delete collection")).to_be_disabled()
    await ui.page.get_by_label("Number of people in it").fill("1")
    await ui.page.get_by_role("button", name="Delete collection").click()

    await expect(card).to_have_count(0)


async def test_the_system_tells_models_licence_health_and_the_token(service: Service, ui: Watched) -> None:
    await ui.go("system")

    await expect(ui.page.get_by_text("YuNet: MIT")).to_be_visible()
    await expect(ui.page.locator(".chip.ready", has_text="ready")).to_have_count(3)
    await expect(ui.page.get_by_text("faces:write")).to_be_visible()


async def test_the_page_speaks_german(service: Service, gallery: Gallery, album: Album, opened: Opens) -> None:
    gallery.enrol("Ada", album.portraits[0])
    async with opened(locale="de-DE") as ui:
        await ui.page.goto(f"{service.url}/#token={service.token()}&/people/{gallery.id}")

        await expect(ui.page.get_by_role("heading", name="Personen")).to_be_visible()
        await expect(ui.page.get_by_text("1 Person mit 1 Gesichtern")).to_be_visible()
        assert await ui.page.locator("html").get_attribute("lang") == "de"


async def test_the_language_can_be_chosen_and_is_kept(service: Service, gallery: Gallery, ui: Watched) -> None:
    await ui.go("people", gallery.id)
    await ui.page.get_by_role("combobox", name="Language").select_option("de")

    await expect(ui.page.get_by_role("heading", name="Noch niemand da")).to_be_visible()


async def test_a_service_that_is_gone_is_said_and_its_return_too(
    service: Service, gallery: Gallery, album: Album, opened: Opens
) -> None:
    gallery.enrol("Ada", album.portraits[0])
    async with opened() as ui:
        ui.may_lose_the_service = True
        ui.expected = {500, 503}
        await ui.page.goto(f"{service.url}/#token={service.token()}&/people/{gallery.id}")
        await expect(ui.page.get_by_role("link", name="Ada")).to_be_visible()
        service.stop()
        await ui.page.get_by_role("searchbox", name="Name or id").fill("ada")
        await expect(ui.page.get_by_text("The service does not answer at the moment")).to_be_visible()
        await expect(ui.page.get_by_role("button", name="Try again")).to_be_visible()

        service.start()

        await expect(ui.page.get_by_role("link", name="Ada")).to_be_visible()
        await expect(ui.page.get_by_text("The service does not answer at the moment")).to_have_count(0)


async def test_digests_are_the_same_without_the_browsers_help(ui: Watched) -> None:
    checked = await ui.page.evaluate(
        """async () => {
          const from = document.querySelector("script").src;
          const { hex, plainSha256 } = await import(from.replace("start.js", "digest.js"));
          const results = [];
          for (const length of [0, 1, 55, 56, 63, 64, 65, 1000, 100000]) {
            const bytes = new Uint8Array(length).map((_, place) => (place * 7 + length) % 256);
            const wanted = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
            results.push(hex(plainSha256(bytes)) === hex(wanted));
          }
          return results;
        }"""
    )

    assert checked == [True] * 9
