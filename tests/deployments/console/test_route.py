"""How the page is served: its headers, its caching, its size."""

import re

from configs.settings import ApiSettings
from deployments.console.files import PAGE, read_page
from deployments.console.route import KEEP
from tests.deployments.service import Clients, code_of

MAX_BYTES = 150_000  # over the wire, all files


async def test_the_page_needs_no_token_and_runs_nothing_but_its_own_files(clients: Clients) -> None:
    response = await clients(has_token=False).get("/")

    policy = response.headers["content-security-policy"]
    assert response.status_code == 200
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_every_file_that_the_document_names_is_there_and_kept_for_good(clients: Clients) -> None:
    api = clients(has_token=False)
    named = re.findall(r'(?:href|src)="(console/[^"]+)"', (await api.get("/")).text)
    assert named

    for path in named:
        response = await api.get(f"/{path}")

        assert response.status_code == 200, path
        assert response.headers["cache-control"] == KEEP


async def test_a_file_that_did_not_change_is_not_sent_again(clients: Clients) -> None:
    api = clients(has_token=False)
    etag = (await api.get("/")).headers["etag"]

    response = await api.get("/", headers={"If-None-Match": etag})

    assert response.status_code == 304
    assert response.content == b""


async def test_a_client_that_takes_no_gzip_gets_the_file_as_it_is(clients: Clients) -> None:
    api = clients(has_token=False)

    packed = await api.get("/console/any/core/dom.js", headers={"Accept-Encoding": "gzip"})
    plain = await api.get("/console/any/core/dom.js", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content == (PAGE / "core" / "dom.js").read_bytes()


async def test_a_file_of_another_version_is_not_kept(clients: Clients) -> None:
    response = await clients(has_token=False).get("/console/0123456789abcdef/core/dom.js")

    assert response.headers["cache-control"] == "no-cache"


async def test_nothing_beside_the_page_is_served(clients: Clients) -> None:
    api = clients(has_token=False)

    for path in ("/console/x/core/route.py", "/console/x/core/..%2Findex.html", "/console/x/%2e%2e/files.py"):
        assert code_of(await api.get(path)) == (404, "route_not_found"), path


async def test_the_console_can_be_switched_off(clients: Clients) -> None:
    response = await clients(has_token=False, settings=ApiSettings(console=False)).get("/")

    assert code_of(response) == (404, "route_not_found")


def test_all_of_the_page_is_small() -> None:
    page = read_page()

    assert len(page.document.gzipped) + sum(len(file.gzipped) for file in page.files.values()) < MAX_BYTES


def test_no_file_holds_script_or_style_in_html_or_asks_another_host() -> None:
    document = (PAGE / "index.html").read_text(encoding="utf-8")
    scripts = "".join(path.read_text(encoding="utf-8") for path in PAGE.glob("*/*.js"))

    assert not re.search(r"<style|style=|\son\w+=|<script(?! type=\"module\" src=\")", document)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", scripts)
    assert not re.search(r"https?://(?!www\.w3\.org)", scripts)
