"""The reader of raw answers itself: over TLS, and where the other side hangs or closes."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.attack import wire
from tests.attack.wire import exchange, request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate of 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "faceserve.test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + signed.public_bytes(Encoding.PEM))
    return file


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.settimeout(20)
        yield opened


def answer_once(listener: socket.socket, answer: bytes, context: ssl.SSLContext | None = None) -> threading.Thread:
    def serve() -> None:
        connection, _ = listener.accept()
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_an_https_url_is_spoken_to_over_tls(
    listener: socket.socket, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    thread = answer_once(listener, OK, context)

    reply = exchange(url, request(url))

    thread.join()
    assert reply.statuses == [200]
    assert reply.is_over


def test_an_end_without_a_word_is_an_end(listener: socket.socket) -> None:
    thread = answer_once(listener, b"")

    reply = exchange(f"http://127.0.0.1:{listener.getsockname()[1]}", b"GET / HTTP/1.1\r\n\r\n")

    thread.join()
    assert (reply.statuses, reply.is_over) == ([], True)


def test_silence_is_none(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TIMEOUT_S", 0.2)

    reply = exchange(f"http://127.0.0.1:{listener.getsockname()[1]}", b"GET / HTTP/1.1\r\n\r\n")

    assert (reply.statuses, reply.is_over) == ([], False)
