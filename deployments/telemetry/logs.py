"""The log of a replica: what our own modules say goes where Serve's log goes, in its encoding.

Serve logs whatever a call ends with, traceback and all. Much of it is what clients bring about, in their words: a
person that is not there, an external id that is taken. The ingress tells those by their codes, and nothing else has to.
"""

import logging
from collections.abc import Callable

OURS = ("faceserve", "store", "encoders")
REQUEST_FAILED = "Request failed."  # Serve's words for an exception that leaves a replica's method


class _ToServe(logging.Handler):
    """Hands records to Serve's logger, whose handlers change with Serve's `logging_config`."""

    def emit(self, record: logging.LogRecord) -> None:
        serve = logging.getLogger("ray.serve")
        if record.levelno >= serve.getEffectiveLevel():
            serve.handle(record)


class _Failed(Exception):
    """Stands in a log for an exception whose words may be a client's."""


StatusOf = Callable[[Exception], int | None]  # of the answer to an error of ours, None for any other exception


class DropClientErrors(logging.Filter):
    """Drops records of requests that failed by what the client sent; of a defect it keeps the kind and the frames."""

    def __init__(self, status_of: StatusOf) -> None:
        super().__init__()
        self._status_of = status_of

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not (record.msg == REQUEST_FAILED or record.name == "faceserve.problems"):
            return True
        status = self._status_of(error) if isinstance(error, Exception) else None
        if status is None:
            record.exc_info = (_Failed, _Failed(type(error).__name__), error.__traceback__)
        return status is None or status >= 500


def join_serve_log(status_of: StatusOf) -> None:
    """Send what our loggers say to Serve's log; otherwise it ends on the worker's stderr, or below WARNING nowhere."""
    serve = logging.getLogger("ray.serve")
    if not any(isinstance(each, DropClientErrors) for each in serve.filters):
        serve.addFilter(DropClientErrors(status_of))
    for name in OURS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [_ToServe()]
