"""Requests as bytes on a socket: what no HTTP library would send."""

import contextlib
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_S = 40.0  # above the service's own 30 s, so that a request it never answers is seen as that


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back on one connection until the other side closed it or said nothing more."""

    received: bytes
    is_closed: bool

    @property
    def is_over(self) -> bool:
        """Whether the other side made an end: it answered, or closed without a word. Else it hangs."""
        return self.is_closed or bool(self.statuses)

    @property
    def statuses(self) -> list[int]:
        """The status of every response on the connection, in their order."""
        lines = (line for line in self.received.split(b"\r\n") if line.startswith(b"HTTP/1."))
        return [int(line.split(b" ")[1]) for line in lines]


def request(
    url: str, method: str = "GET", path: str = "/v1/health", headers: Iterable[bytes] = (), body: bytes = b""
) -> bytes:
    """Return a request as it goes over the wire; `headers` are whole lines, and nothing is added but `Host`."""
    host = urlsplit(url).netloc.encode()
    return b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), b"Host: " + host, *headers, b"", body])


def exchange(url: str, sent: bytes | Iterable[bytes], quiet_s: float = 1.0) -> Reply:
    """Send bytes, and return all that comes back: the first answer within `TIMEOUT_S`, then until `quiet_s` of silence.

    The server may close while we are still sending.
    """
    with connection(url) as wire:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in [sent] if isinstance(sent, bytes) else sent:
                wire.sendall(part)
        received = b""
        while part := _read(wire, quiet_s if received else TIMEOUT_S):
            received += part
    return Reply(received, is_closed=part is not None)


@contextlib.contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    """Give a connection to the service: TCP, or TLS for an `https` URL."""
    where = urlsplit(url)
    host, is_tls = where.hostname or "", where.scheme == "https"
    with socket.create_connection((host, where.port or (443 if is_tls else 80)), timeout=TIMEOUT_S) as wire:
        if not is_tls:
            yield wire
            return
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        with context.wrap_socket(wire, server_hostname=host) as secured:
            yield secured


def _read(wire: socket.socket, timeout_s: float) -> bytes | None:
    """Return what comes next, nothing where the other side closed, None where it stays silent."""
    wire.settimeout(timeout_s)
    try:
        return wire.recv(65536)
    except TimeoutError:
        return None
    except ConnectionResetError:
        return b""
