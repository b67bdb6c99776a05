"""The `faceserve` command: what can be asked of it, and how errors are shown."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from configs.ray_environment import ray_environment, shell_exports
from configs.secrets import MissingSecret
from configs.settings import EncoderSettings, TokenSettings
from deployments.commands.errors import CommandFailed
from deployments.http.access.tokens import NAME, SCOPES
from encoders.errors import EncoderError
from faceserve_client import FaceserveError
from faceserve_client.settings import DEFAULT_URL
from store.errors import StoreError

DATA_DIR = Path("~/.faceserve")

app = typer.Typer(
    name="faceserve",
    help="A face recognition service: photos in over HTTP, identities out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
pack_app = typer.Typer(help="See, fetch, bring in and check model packs.", no_args_is_help=True)
app.add_typer(pack_app, name="pack")

DataDir = Annotated[Path, typer.Option("--data", help="Where the database and the development secret live.")]
ModelsDir = Annotated[Path, typer.Option("--models", help="Directory that holds the model packs.")]
DEFAULT_MODELS = EncoderSettings().models_dir
ServiceUrl = Annotated[str, typer.Option("--url", envvar="FACESERVE_URL", help="Where the service is.")]
ServiceToken = Annotated[
    str | None, typer.Option("--token", envvar="FACESERVE_TOKEN", help="A token; by default a local one.")
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command()
def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    data: DataDir = DATA_DIR,
    models: ModelsDir = DEFAULT_MODELS,
    pack: Annotated[
        str | None,
        typer.Option(help="Model pack; by default buffalo_l, and `opencv` where that cannot be had."),
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="Processes that run the models.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each; by default all cores shared out.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(help="cpu, openvino, cuda or tensorrt; by default the faster of the first two on this processor."),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="PostgreSQL to use instead of an own one; or FACESERVE_DATABASE_URL.")
    ] = None,
    proxy: Annotated[
        Literal["haproxy", "python"],
        typer.Option(help="`haproxy` is the fast one; `python` listens on the given address only."),
    ] = "haproxy",
) -> None:
    """Run the whole service on this machine until Ctrl-C."""
    from deployments.commands.up import UpOptions
    from deployments.commands.up import up as run

    options = UpOptions(
        host=host,
        port=port,
        data_dir=data.expanduser().resolve(),
        models_dir=models.expanduser().resolve(),
        pack=pack,
        replicas=replicas,
        threads=threads,
        database_url=database_url,
        provider=provider,
        fast_path=proxy == "haproxy",
    )
    run(options, Console())


@app.command()
def demo(
    photo: Annotated[
        Path | None, typer.Argument(help="A photo with faces; by default one that InsightFace ships.")
    ] = None,
    url: ServiceUrl = DEFAULT_URL,
    token: ServiceToken = None,
    out: Annotated[Path, typer.Option(help="Where the annotated picture goes.")] = Path("faceserve-demo.jpg"),
    data: DataDir = DATA_DIR,
) -> None:
    """Enrol the people of a photo at a running service, and have them recognised."""
    from deployments.commands.demo import demo as run
    from deployments.commands.tokens import local_secret, make_token

    if token is None:
        secret = local_secret(os.environ, data.expanduser(), create=False)
        token = make_token(secret, settings=TokenSettings(), tenant="default", scopes=SCOPES, expires_s=3600)
    run(url, token, photo, out, Console())


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A folder with one folder a person, or a .csv, .jsonl or .parquet.")],
    collection: Annotated[str, typer.Option(help="Where the faces go.")],
    url: ServiceUrl = DEFAULT_URL,
    token: ServiceToken = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be sent.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Where the outcome of each file goes; CSV where it ends in .csv, else NDJSON.")
    ] = None,
    review_mode: Annotated[
        Literal["off", "standard", "strict"], typer.Option(help="What is checked of each photo.")
    ] = "standard",
    max_errors: Annotated[
        int | None, typer.Option(min=0, help="Stop once more files than this were not taken; by default never.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests under way at most.")] = 8,
    json: JsonOutput = False,
    data: DataDir = DATA_DIR,
) -> None:
    """Enrol many people from files; may be stopped and repeated at any point."""
    from deployments.commands.importing.engine import ImportOptions
    from deployments.commands.importing.run import run_import
    from deployments.commands.service import connect

    options = ImportOptions(collection, review_mode, concurrency, max_errors, dry_run)
    raise typer.Exit(run_import(connect(url, token, data, os.environ), source, options, report, prints_json=json))


@app.command("export")
def export_(
    collection: Annotated[str, typer.Argument(help="What is exported.")],
    file: Annotated[Path, typer.Argument(help="The archive to write, a tar file.")],
    url: ServiceUrl = DEFAULT_URL,
    token: ServiceToken = None,
    json: JsonOutput = False,
    data: DataDir = DATA_DIR,
) -> None:
    """Write a collection with persons, faces, embeddings and crops into one file."""
    from deployments.commands.archiving.run import run_export
    from deployments.commands.service import connect

    run_export(connect(url, token, data, os.environ), collection, file, prints_json=json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An archive of `faceserve export`.")],
    collection: Annotated[str, typer.Option(help="Where it goes; created where it is not there.")],
    url: ServiceUrl = DEFAULT_URL,
    token: ServiceToken = None,
    json: JsonOutput = False,
    data: DataDir = DATA_DIR,
) -> None:
    """Bring an archive into a collection; may be stopped and repeated at any point."""
    from deployments.commands.archiving.run import run_restore
    from deployments.commands.service import connect

    raise typer.Exit(run_restore(connect(url, token, data, os.environ), file, collection, prints_json=json))


@app.command()
def calibrate(
    collection: Annotated[str, typer.Argument(help="Whose scores are measured.")],
    persons: Annotated[int, typer.Option(min=1, max=5000, help="Random persons that are compared with all.")] = 5000,
    size: Annotated[list[int] | None, typer.Option(help="Tell rates for so many persons too; repeat for more.")] = None,
    max_fpir: Annotated[
        float | None, typer.Option(help="Choose the threshold at which at most this share of strangers match.")
    ] = None,
    at: Annotated[str, typer.Option(help="present, capacity, or a number of persons.")] = "capacity",
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Accept a threshold that too few persons can count.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Set the threshold that was chosen.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a report; .html or .png.")] = None,
    json: JsonOutput = False,
    url: ServiceUrl = DEFAULT_URL,
    token: ServiceToken = None,
    data: DataDir = DATA_DIR,
) -> None:
    """Measure how often a stranger is taken for a member, and choose the threshold."""
    from deployments.commands.calibrating.run import CalibrateOptions
    from deployments.commands.calibrating.run import calibrate as run
    from deployments.commands.service import token_or_local
    from faceserve_client import Client

    options = CalibrateOptions(collection, persons, size or (), max_fpir, at, extrapolate, apply, report)
    with Client(url, token=token_or_local(token, data, os.environ)) as client:
        run(client, options, Console(stderr=json), prints_json=json)


@app.command()
def env(
    proxy: Annotated[
        Literal["haproxy", "python"], typer.Option(help="The proxy that `serve deploy` starts.")
    ] = "haproxy",
) -> None:
    """Print what every node needs in its environment before `ray start`; for `eval "$(faceserve env)"`."""
    print(shell_exports(ray_environment(haproxy=proxy == "haproxy")), end="")


@app.command()
def migrate(
    database_url: Annotated[
        str, typer.Option(envvar="FACESERVE_DATABASE_URL", help="The PostgreSQL to migrate.", show_default=False)
    ],
) -> None:
    """Bring a database to the schema of this release."""
    from store.database.migrate import apply_migrations

    console = Console()
    with console.status("Migrating …"):
        applied = asyncio.run(apply_migrations(database_url))
    for migration in applied:
        console.print(f"applied {migration.version:04} {migration.name}")
    console.print("[green]The schema is up to date.[/green]")


@app.command()
def token(
    tenant: Annotated[str, typer.Option(help="Whose data the token reaches.")] = "default",
    scope: Annotated[list[str] | None, typer.Option(help="A scope; repeat for more. By default all of them.")] = None,
    collection: Annotated[
        list[str] | None, typer.Option(help="A collection, or a glob of names; repeat for more. By default all.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Who holds the token.")] = "",
    expires: Annotated[float, typer.Option(min=1, help="Seconds until it expires.")] = 3600,
    issuer: Annotated[str, typer.Option(help="The `iss` claim.")] = TokenSettings().issuer,
    audience: Annotated[str, typer.Option(help="The `aud` claim.")] = TokenSettings().audience,
    data: DataDir = DATA_DIR,
) -> None:
    """Print a token signed with FACESERVE_JWT_SECRET, or with the secret of a local service."""
    from deployments.commands.tokens import local_secret, make_token

    if NAME.fullmatch(tenant) is None:
        raise typer.BadParameter("expected letters, digits, dots, underscores or hyphens", param_hint="--tenant")
    unknown = set(scope or ()) - set(SCOPES)
    if unknown:
        raise typer.BadParameter(f"expected {', '.join(SCOPES)}; found {', '.join(unknown)}", param_hint="--scope")
    print(
        make_token(
            local_secret(os.environ, data.expanduser(), create=False),
            settings=TokenSettings(issuer=issuer, audience=audience),
            tenant=tenant,
            scopes=scope or SCOPES,
            expires_s=expires,
            subject=subject,
            collections=collection,
        )
    )


@app.command()
def doctor(models: ModelsDir = DEFAULT_MODELS, data: DataDir = DATA_DIR) -> None:
    """Look at this machine and say what would keep the service from running well."""
    from deployments.commands.doctor import doctor as run

    if not run(models.expanduser(), data.expanduser(), os.environ, Console()):
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def bench(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Which one: ladder, sessions, packs …")]
) -> None:
    """Run a measurement; `faceserve bench NAME --help` says what it takes."""
    from deployments.commands.bench import bench as run

    raise typer.Exit(run(name, context.args))


@pack_app.command("list")
def pack_list(models: ModelsDir = DEFAULT_MODELS) -> None:
    """List the packs that are known or on disk, with their licences."""
    from deployments.commands.packs import show

    show(models.expanduser(), Console())


@pack_app.command("pull")
def pack_pull(name: Annotated[str, typer.Argument()] = "buffalo_l", models: ModelsDir = DEFAULT_MODELS) -> None:
    """Download a pack from InsightFace's model zoo."""
    from deployments.commands.packs import pull

    pull(models.expanduser(), name, Console())


@pack_app.command("import")
def pack_import(
    source: Annotated[Path, typer.Argument(exists=True, help="A zip file or a directory with the models.")],
    name: Annotated[str | None, typer.Option(help="What to call it; by default as the file is called.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Take the place of a pack of this name.")] = False,
    models: ModelsDir = DEFAULT_MODELS,
) -> None:
    """Bring in a pack from a file, where nothing can be downloaded."""
    from deployments.commands.packs import bring_in

    bring_in(models.expanduser(), source, name, Console(), overwrite=overwrite)


@pack_app.command("verify")
def pack_verify(name: str, models: ModelsDir = DEFAULT_MODELS) -> None:
    """Check that a pack is complete, readable and what it says it is."""
    from deployments.commands.packs import verify

    verify(models.expanduser(), name, Console())


@pack_app.command("quantize")
def pack_quantize(
    name: Annotated[str, typer.Argument(help="The fp32 pack.")],
    photos: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Photos; sub-folders are people.")],
    out: Annotated[str | None, typer.Option(help="What to call it; by default NAME_int8.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each model run.")] = 1,
    models: ModelsDir = DEFAULT_MODELS,
) -> None:
    """Make the int8 twin of a pack, and keep it only if it stays true to it."""
    from deployments.commands.quantize import quantize

    quantize(models.expanduser(), name, photos, out, Console(), threads)


def main() -> None:
    """Run the command line; an error that we know is one line, not a traceback."""
    try:
        app()
    except (CommandFailed, MissingSecret, EncoderError, FaceserveError, StoreError) as error:
        Console(stderr=True).print(f"[bold red]faceserve:[/bold red] {error}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from error
