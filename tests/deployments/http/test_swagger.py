"""`/docs` works offline and runs nothing but its own files."""

import re

from tests.deployments.service import Clients, code_of


async def test_the_page_asks_for_files_of_this_service_alone(clients: Clients) -> None:
    api = clients(has_token=False)
    page = await api.get("/docs")
    named = re.findall(r'(?:href|src)="([^"]+)"', page.text)

    assert page.headers["content-type"].startswith("text/html")
    assert len(named) == 4
    assert not re.search(r"https?://|<script>|<style| on\w+=", page.text)
    for path in named:
        answer = await api.get(f"/{path}")
        assert answer.status_code == 200, path
        assert answer.content


async def test_the_page_runs_under_a_strict_policy(clients: Clients) -> None:
    api = clients(has_token=False)

    for path in ("/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js"):
        policy = (await api.get(path)).headers["content-security-policy"]

        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


async def test_no_other_file_is_served(clients: Clients) -> None:
    api = clients(has_token=False)

    for name in ("main.py", "__init__.py", "index.html"):
        assert code_of(await api.get(f"/docs/{name}")) == (404, "route_not_found")
