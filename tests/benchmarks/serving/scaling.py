"""How this service scales: replicas and threads, faces in the gallery and in a picture, size of the picture, proxies.

The pictures are generated, for the packs of `faceserve bench packs`; each axis varies one thing and leaves the rest at
one replica of one thread per core, one enrolled face, one face per picture, 1280x960. What the ladder says of ratios
holds here, too.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg
import httpx

from configs.tuning import SearchTuning
from tests.benchmarks import plots
from tests.benchmarks.packs.packs import draw_group, draw_picture, jpeg
from tests.benchmarks.results import publish, table
from tests.benchmarks.serving.rungs import Rung, measure
from tests.benchmarks.serving.serving import Configuration, Served, service

CONCURRENCIES = (1, 16)
PICTURES = 8
GALLERIES = (10_000, 100_000)
FACES_PER_PICTURE = (1, 4, 8, 16)
INDEX_TIMEOUT_S = 1800.0
SIZES_PX = ((640, 480), (1280, 960), (2560, 1920), (4000, 3000))

# Past the API, which would embed 100,000 photos: one person with all faces, unit vectors without a meaning.
FILL = """
with chosen as (
    select collection_pk, contract_pk from collections where id = 'bench'
), added_person as (
    insert into persons (collection_pk, id, metadata, face_count)
    select collection_pk, 'p' || $1::bigint, '{}', $1::bigint from chosen
    returning person_pk, collection_pk
), added_faces as (
    insert into faces (face_id, person_pk, box_left, box_top, box_right, box_bottom, image_width, image_height,
        detection_score, quality, source, collection_pk)
    select gen_random_uuid(), person_pk, 0, 0, 1, 1, 10, 10, 0.9, '{}', 'server', collection_pk
    from added_person, generate_series(1, $1::bigint)
    returning face_pk
), counted as (
    update collections set person_count = person_count + 1, face_count = face_count + $1::bigint where id = 'bench'
)
insert into embeddings (face_pk, contract_pk, collection_pk, embedding)
select face_pk, contract_pk, collection_pk, l2_normalize(
    (select array_agg(random() - 0.5) from generate_series(1, 512) where face_pk is not null)::vector)
from added_faces, chosen
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement: the axis, where on it, and what came out."""

    axis: str
    at: str
    rung: Rung


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--pack", default="bench_l")
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    parser.add_argument("--galleries", type=int, nargs="*", default=GALLERIES, help="faces enrolled, ascending")
    parser.add_argument("--axes", nargs="+", choices=tuple(AXES), default=("replicas", "pictures", "gallery"))
    parser.add_argument("--write", metavar="NAME", help="keep the result as results/NAME.json and in the README")
    options = parser.parse_args()
    points = []
    for axis in options.axes:
        for point in AXES[axis](options):
            print(" | ".join(map(str, row(point))), flush=True)
            points.append(point)
    if options.write:
        write(options, points)


def replicas_axis(options: argparse.Namespace) -> Iterator[Point]:
    """Vary what the cores are shared out to: replicas of one thread, and one replica of more."""
    cores = os.cpu_count() or 1
    counts = sorted({1, 2, 4, cores} & set(range(1, cores + 1)))
    shapes = [(count, 1) for count in counts] + [(1, count) for count in counts if count > 1]
    pictures = [jpeg(draw_picture(seed)) for seed in range(PICTURES)]
    for replicas, threads in shapes:
        wanted = Configuration(options.pack, options.provider, replicas, threads)
        with service(options.models_dir, wanted, pictures[0]) as served:
            yield point("replicas x threads", f"{replicas} x {threads}", served, pictures, options)


def proxy_axis(options: argparse.Namespace) -> Iterator[Point]:
    """Vary what stands before the ingress."""
    pictures = [jpeg(draw_picture(seed)) for seed in range(PICTURES)]
    for proxy in ("haproxy", "python"):
        wanted = Configuration(options.pack, options.provider, proxy=proxy)
        with service(options.models_dir, wanted, pictures[0]) as served:
            yield point("proxy", proxy, served, pictures, options)


def pictures_axes(options: argparse.Namespace) -> Iterator[Point]:
    """Vary the size of the pictures, then the faces in them."""
    pictures = [jpeg(draw_picture(seed)) for seed in range(PICTURES)]
    with service(options.models_dir, Configuration(options.pack, options.provider), pictures[0]) as served:
        for width, height in SIZES_PX:
            sized = [jpeg(draw_picture(seed, width, height)) for seed in range(PICTURES)]
            yield point("image size", f"{width}x{height}", served, sized, options)
        identify = replace(served, url=served.url.removesuffix("search") + "identify")
        for faces in FACES_PER_PICTURE:
            groups = [jpeg(draw_group(seed, faces)) for seed in range(PICTURES)]
            yield point("faces per image, identify", str(faces), identify, groups, options)


def gallery_axis(options: argparse.Namespace) -> Iterator[Point]:
    """Vary the faces among which the one in the picture is searched."""
    pictures = [jpeg(draw_picture(seed)) for seed in range(PICTURES)]
    with service(options.models_dir, Configuration(options.pack, options.provider), pictures[0]) as served:
        enrolled = 1
        for faces in options.galleries:
            asyncio.run(enrol(served, faces - enrolled))
            enrolled = faces
            if faces > SearchTuning().exact_below:
                wait_for_index(served)
            yield point("gallery", f"{faces}", served, pictures, options)


def point(axis: str, at: str, served: Served, pictures: list[bytes], options: argparse.Namespace) -> Point:
    """Measure one point."""
    return Point(axis, at, measure(at, served, pictures, options.seconds, "Embedder", CONCURRENCIES))


async def enrol(served: Served, faces: int) -> None:
    """Add so many faces to the collection under load."""
    connection = await asyncpg.connect(served.database_url)
    try:
        await connection.execute(FILL, faces)
        await connection.execute("vacuum analyze embeddings")
    finally:
        await connection.close()


def wait_for_index(served: Served) -> None:
    """Return once the collection is searched by its index. Raises TimeoutError."""
    deadline = time.monotonic() + INDEX_TIMEOUT_S
    collection = served.url.removesuffix("/search")
    while ask(collection, served)["collection"]["index_state"] != "ready":
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected an index within {INDEX_TIMEOUT_S:g} s")
        time.sleep(1.0)


def ask(url: str, served: Served) -> dict[str, Any]:
    """Return what the service says at `url`. Raises httpx.HTTPError."""
    return dict(httpx.get(url, headers=dict(served.headers), timeout=60).raise_for_status().json())


def row(point: Point) -> list[str]:
    """Return a point as a table's row."""
    one, many = point.rung.loads
    return [
        *(point.axis, point.at, f"{one.p50_ms:.0f} / {one.p99_ms:.0f}"),
        *(f"{many.per_second:.2f}", f"{point.rung.cpu_ms:.0f}", f"{point.rung.worker_rss_mb:.0f}"),
    ]


def write(options: argparse.Namespace, points: list[Point]) -> None:
    """Keep the result as JSON, as a table, and as a chart of each axis."""
    columns = ["axis", "", "1 client: p50 / p99 ms", "16 clients: answers/s", "CPU ms per answer", "worker MB"]
    charts = {}
    for axis in dict.fromkeys(point.axis for point in points):
        along = [point for point in points if point.axis == axis]
        rates = [point.rung.loads[-1].per_second for point in along]
        ticks = [point.at for point in along]
        chart = f"{options.write}_{axis.split(',')[0].replace(' ', '_')}"
        charts[chart] = plots.lines(f"{options.pack}: {axis}", ticks, {"16 clients": rates}, "answers/s")
    command = f"uv run faceserve bench scaling --models-dir DIR --pack {options.pack} --provider {options.provider}"
    command += f" --axes {' '.join(options.axes)}"
    measured = {"pack": options.pack, "points": [asdict(point) for point in points]}
    publish(options.write, command, measured, table(columns, [row(point) for point in points]), charts)


AXES: Mapping[str, Callable[[argparse.Namespace], Iterator[Point]]] = MappingProxyType(
    {"replicas": replicas_axis, "pictures": pictures_axes, "gallery": gallery_axis, "proxy": proxy_axis}
)

if __name__ == "__main__":
    main()
