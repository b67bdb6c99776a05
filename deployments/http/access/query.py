"""Query parameters that an operation does not have are refused, as members of a body are."""

from collections import Counter
from typing import ClassVar, get_origin

from fastapi import Request
from fastapi.routing import APIRoute

MAX_REPEATED = 64  # characters of a client's own words in a message


class UnexpectedQuery(Exception):
    """The query has a parameter that the operation does not take."""

    code: ClassVar[str] = "invalid_request"


async def only_known_query(request: Request) -> None:
    """Raise UnexpectedQuery for a query parameter that the route does not have, or one that is there twice.

    A page number that nobody looks at gives the first page again and again. Routes that take images are left alone:
    their options may stand in the query, and are held to their model with those of the body.
    """
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    if "multipart/form-data" in (route.openapi_extra or {}).get("requestBody", {}).get("content", {}):
        return
    known = {parameter.alias: parameter.field_info.annotation for parameter in route.dependant.query_params}
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            expected = " or ".join(f"'{each}'" for each in known) or "none"
            raise UnexpectedQuery(f"Expected as query parameters {expected}; found '{name[:MAX_REPEATED]}'.")
        if count > 1 and get_origin(known[name]) is not list:
            raise UnexpectedQuery(f"Expected the query parameter '{name}' once; found it {count:,} times.")
