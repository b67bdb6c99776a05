"""The id of the request that is being answered, for whoever answers it."""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id")  # set by the middleware, in the task of the request
