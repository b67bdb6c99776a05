"""The log of a replica: what our own modules say goes where Serve's log goes, in its encoding."""

import logging

OURS = ("faceserve", "store", "encoders")


class _ToServe(logging.Handler):
    """Hands records to Serve's logger, whose handlers change with Serve's `logging_config`."""

    def emit(self, record: logging.LogRecord) -> None:
        serve = logging.getLogger("ray.serve")
        if record.levelno >= serve.getEffectiveLevel():
            serve.handle(record)


def join_serve_log() -> None:
    """Send what our loggers say to Serve's log; otherwise it ends on the worker's stderr, or below WARNING nowhere."""
    for name in OURS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [_ToServe()]
