"""Signing in, people and their faces, trying a photo: in a real browser against a real service."""

import json
import time

from playwright.async_api import Request, expect

from tests.console.browser import Watched
from tests.console.conftest import Gallery, Opens
from tests.console.service import Album, Service, grey_picture


async def test_the_link_that_up_prints_signs_in_and_leaves_no_token_in_the_address(
    service: Service, gallery: Gallery, opened: Opens
) -> None:
    async with opened() as ui:
        await ui.page.goto(service.link)

        await expect(ui.page.get_by_role("heading", name="Try")).to_be_visible()
        assert ui.page.url == f"{service.url}/"


async def test_a_token_typed_in_a_field_signs_in(service: Service, gallery: Gallery, opened: Opens) -> None:
    async with opened() as ui:
        ui.expected = {401}
        await ui.page.goto(f"{service.url}/#/people/{gallery.id}")
        await ui.page.get_by_label("Token").fill("not.a.token")
        await ui.page.get_by_role("button", name="Sign in").click()
        await expect(ui.page.get_by_role("alert").filter(has_text="does not take this token")).to_be_visible()

        await ui.page.get_by_label("Token").fill(service.token())
        await ui.page.get_by_role("button", name="Sign in").click()

        await expect(ui.page.get_by_role("heading", name="Nobody here yet")).to_be_visible()
        assert await ui.page.evaluate("document.cookie") == ""


async def test_a_reload_loses_nothing(service: Service, gallery: Gallery, album: Album, ui: Watched) -> None:
    gallery.enrol("Ada", album.portraits[0])
    gallery.enrol("Grace", album.portraits[1])
    await ui.go("people", gallery.id)
    await ui.page.get_by_role("searchbox", name="Name or id").fill("grace")
    await expect(ui.page.get_by_role("link", name="Ada")).to_have_count(0)

    await ui.page.reload()

    await expect(ui.page.get_by_role("link", name="Grace")).to_be_visible()
    await expect(ui.page.get_by_role("searchbox", name="Name or id")).to_have_value("grace")
    await expect(ui.page.get_by_role("link", name="Ada")).to_have_count(0)


async def test_a_person_is_enrolled_by_drag_and_drop(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    await ui.go("people", gallery.id)
    await ui.page.get_by_role("button", name="Add a person").first.click()
    await ui.page.get_by_label("Name", exact=True).fill("Ada")
    await ui.drop([album.portraits[0]], "dialog .drop")
    await expect(ui.page.locator("dialog .thumbs img")).to_have_count(1)

    await ui.page.get_by_role("button", name="Enrol").click()

    await expect(ui.page.get_by_role("heading", name="Ada")).to_be_visible()
    await expect(ui.page.locator(".face img")).to_have_count(1)  # the picture that the service kept
    assert gallery.persons() == {"Ada": 1}


async def test_a_photo_that_is_not_taken_says_why(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    ada = gallery.enrol("Ada", album.portraits[0])
    await ui.go("person", gallery.id, ada)
    await expect(ui.page.locator(".face")).to_have_count(1)

    await ui.drop([grey_picture(service.folder), album.portraits[0]])

    await expect(ui.page.locator(".rejections li")).to_have_text(["grey.jpgNo face was found in it."])
    await expect(ui.page.locator(".face")).to_have_count(2)


async def test_a_group_photo_shows_who_is_known_and_names_who_is_not(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    gallery.enrol("Ada", album.portraits[0])
    await ui.go("try", gallery.id)
    await ui.drop([album.group])

    ada = ui.card("Ada").filter(has_text="Clearly").or_(ui.card("there is nobody else"))
    await expect(ada).to_have_count(1)
    await expect(ada.locator(".pair img")).to_have_count(2)  # the face in the photo, and the one that matched
    await expect(ui.page.locator(".frame.match")).to_have_text("Ada")
    unknown = ui.page.locator(".frame.no_match")
    before = await unknown.count()
    await ui.page.get_by_role("button", name="Name this face").first.click()
    await ui.page.keyboard.type("Grace")
    await ui.page.keyboard.press("Enter")

    await expect(ui.page.locator(".frame.match", has_text="Grace")).to_be_visible()
    assert await unknown.count() < before
    assert gallery.persons() == {"Ada": 1, "Grace": 1}


async def test_what_was_done_is_shown_as_curl_without_the_token(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    await ui.go("try", gallery.id)
    await ui.drop([album.group])
    await ui.page.get_by_role("button", name="Show as curl").click()

    command = await ui.page.locator("dialog pre").inner_text()

    assert "Authorization: Bearer $FACESERVE_TOKEN" in command
    assert "--data-binary '@group.jpg'" in command
    assert f"/v1/collections/{gallery.id}/identify?limit=4" in command


async def test_two_persons_are_merged(service: Service, gallery: Gallery, album: Album, ui: Watched) -> None:
    gallery.enrol("Ada", album.portraits[0])
    gallery.enrol("Ada again", album.portraits[0])
    await ui.go("people", gallery.id)
    for name in ("Select Ada", "Select Ada again"):
        await ui.page.get_by_role("checkbox", name=name, exact=True).check()
    await ui.page.get_by_role("button", name="Merge").click()

    await ui.page.get_by_role("dialog").get_by_role("radio", name="Ada", exact=False).first.check()
    await ui.page.get_by_role("dialog").get_by_role("button", name="Merge").click()

    await expect(ui.page.locator(".person-card")).to_have_count(1)
    assert list(gallery.persons().values()) == [2]


async def test_deleting_a_person_says_what_goes_first(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    ada = gallery.enrol("Ada", album.portraits[0])
    await ui.go("person", gallery.id, ada)
    await ui.page.get_by_role("button", name="Delete").click()
    await expect(ui.page.get_by_role("dialog")).to_contain_text("1 face goes, with names and metadata")
    await ui.page.keyboard.press("Escape")
    assert gallery.persons() == {"Ada": 1}

    await ui.page.get_by_role("button", name="Delete").click()
    await ui.page.get_by_role("button", name="Delete person").click()

    await expect(ui.page.get_by_role("heading", name="Nobody here yet")).to_be_visible()
    assert gallery.persons() == {}


async def test_an_expired_token_asks_again_and_keeps_the_page(
    service: Service, gallery: Gallery, album: Album, opened: Opens
) -> None:
    async with opened() as ui:
        ui.expected = {401}
        short = service.token(expires_s=1.0)
        await ui.page.goto(f"{service.url}/#token={short}&/people/{gallery.id}")
        await expect(ui.page.get_by_role("heading", name="Nobody here yet")).to_be_visible()
        await ui.page.get_by_role("button", name="Add a person").first.click()
        await ui.page.get_by_label("Name", exact=True).fill("Ada")
        await ui.drop([album.portraits[0]], "dialog .drop")
        await ui.page.wait_for_function("at => Date.now() > at", arg=time.time() * 1000 + 12_000)  # expiry and leeway
        await ui.page.get_by_role("button", name="Enrol").click()
        await expect(ui.page.get_by_role("heading", name="Sign in again")).to_be_visible()

        await ui.page.get_by_label("Token").fill(service.token())
        await ui.page.get_by_role("button", name="Sign in").click()

        await expect(ui.page.get_by_role("heading", name="Ada")).to_be_visible()
        assert gallery.persons() == {"Ada": 1}


async def test_a_narrow_token_sees_what_it_may_do_and_no_more(
    service: Service, gallery: Gallery, album: Album, opened: Opens
) -> None:
    ada = gallery.enrol("Ada", album.portraits[0])
    reader = service.token(scopes=("faces:read",), collections=(gallery.id,))
    async with opened() as ui:
        await ui.page.goto(f"{service.url}/#token={reader}&/person/{gallery.id}/{ada}")
        await expect(ui.page.get_by_role("heading", name="Ada")).to_be_visible()

        await expect(ui.page.get_by_role("button", name="Delete")).to_have_count(0)
        await expect(ui.page.get_by_role("button", name="Rename")).to_have_count(0)
        await expect(ui.page.locator(".drop")).to_have_count(0)


async def test_two_photos_are_compared(service: Service, gallery: Gallery, album: Album, ui: Watched) -> None:
    await ui.go("try", gallery.id)
    await ui.page.get_by_role("link", name="Compare two photos").click()
    inputs = ui.page.locator("input[type=file]")
    await inputs.first.set_input_files(album.portraits[0])
    await expect(inputs).to_have_count(1)  # the first place shows its photo, so what is left is the second's
    await inputs.first.set_input_files(album.portraits[0])

    await expect(ui.page.get_by_role("heading", name="The same person", exact=True)).to_be_visible()
    await expect(ui.page.locator(".side-photo .frame.match")).to_have_count(2)

    await ui.page.get_by_role("button", name="Another photo").last.click()
    await inputs.first.set_input_files(album.portraits[1])

    await expect(ui.page.get_by_role("heading", name="Probably not the same person")).to_be_visible()


async def test_the_camera_is_looked_at_one_picture_at_a_time_and_let_go(
    service: Service, gallery: Gallery, opened: Opens
) -> None:
    at_once: list[int] = []
    running = 0
    async with opened(permissions=["camera"]) as ui:

        def begun(request: Request) -> None:
            nonlocal running
            if request.url.split("?")[0].endswith("/identify"):
                running += 1
                at_once.append(running)

        def ended(request: Request) -> None:
            nonlocal running
            running -= request.url.split("?")[0].endswith("/identify")

        ui.page.on("request", begun)
        ui.page.on("requestfinished", ended)
        ui.page.on("requestfailed", ended)  # the one that was under way when the picture was taken
        await ui.page.goto(f"{service.url}/#token={service.token()}&/try/{gallery.id}")
        await ui.page.get_by_role("button", name="Use the camera").click()
        await expect(ui.page.get_by_text("pictures per second")).to_be_visible()
        await ui.page.wait_for_function("() => document.querySelector('video').currentTime > 0.5")
        await ui.page.get_by_role("button", name="Take this picture").click()

        await expect(ui.page.get_by_role("heading", name="No face in this photo")).to_be_visible()
        await expect(ui.page.locator("video")).to_have_count(0)
        assert max(at_once[:-1]) == 1  # the last is the picture that was taken: the one before it is given up


async def test_people_come_page_by_page_as_one_scrolls(
    service: Service, gallery: Gallery, album: Album, ui: Watched
) -> None:
    with service.client() as client:  # embeddings of our own, which are quicker than 130 photos
        contract = client.get("/v1/models").json()["embedding_contract_id"]
        for number in range(130):
            vector = [0.0] * 512
            vector[number] = 1.0
            fields = {
                "name": f"Person {number:03}",
                "embedding_mode": "external_trusted",
                "external_embeddings": json.dumps([vector]),
                "embedding_contract_id": contract,
            }
            photo = {"images": album.portraits[0].read_bytes()}
            client.post(f"/v1/collections/{gallery.id}/persons", data=fields, files=photo).raise_for_status()
    await ui.go("people", gallery.id)
    cards = ui.page.locator(".person-card")
    await expect(cards).to_have_count(60)

    await cards.last.scroll_into_view_if_needed()
    await expect(cards).to_have_count(120)
    await cards.last.scroll_into_view_if_needed()

    await expect(cards).to_have_count(130)
    # the text that is there: what is off the screen is not laid out, and has no inner text
    assert len(set(await cards.locator(".person-name").all_text_contents())) == 130
