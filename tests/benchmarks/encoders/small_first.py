"""What looking small first saves on real photos, at the cost that a large pack's networks have.

A real pack finds the faces of real photos, once with the full input and once as `search` does; the shapes of all runs
of its models are noted, and then timed on another pack's sessions. So a pack of random weights, which cannot find a
real face, tells what the search of one costs.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack
from encoders.quantization.models import least_ms
from encoders.runtimes.sessions import open_session
from encoders.types import AnalyzeOptions
from tests.benchmarks.results import publish, table

Shape = tuple[int, ...]
WAYS: Mapping[str, AnalyzeOptions] = {
    "full input": AnalyzeOptions(selection="largest", counts_faces=True),
    "small first": AnalyzeOptions(selection="largest"),
}


@dataclass(frozen=True, slots=True)
class Saving:
    """Milliseconds of the models' runs per photo, means over the photos."""

    pack: str
    detect_full_ms: float
    detect_small_first_ms: float
    embed_ms: float


class Noting:
    """A session that notes the shape of every input, by its model's file."""

    def __init__(self, session: Any, shapes: list[Shape]) -> None:
        self._session = session
        self._shapes = shapes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, outputs: Any, inputs: Mapping[str, Any], *rest: Any) -> Any:
        self._shapes.append(next(iter(inputs.values())).shape)
        return self._session.run(outputs, inputs, *rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", nargs="+", help="whose cost is asked for, in --models-dir")
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True, help="the directory of a pack that finds faces")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos of one person each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", metavar="NAME", help="keep the result as results/NAME.json and in the README")
    options = parser.parse_args()
    photos = [path.read_bytes() for path in sorted(options.photos.rglob("*.jpg"))]
    shapes, went_up = look(options.real, photos)
    savings = [price(options, name, shapes, len(photos)) for name in options.packs]
    rows = []
    for saving in savings:
        full, small = saving.detect_full_ms, saving.detect_small_first_ms
        whole = (full + saving.embed_ms) / (small + saving.embed_ms)
        rows.append(
            [
                saving.pack,
                f"{full:.1f}",
                f"{small:.1f}",
                f"{saving.embed_ms:.1f}",
                f"{full / small:.2f}",
                f"{whole:.2f}",
            ]
        )
    columns = [
        f"{len(photos)} photos, ms each",
        "detect: full input",
        "small first",
        "embed",
        "gain",
        "gain with embed",
    ]
    markdown = f"{table(columns, rows)}\n\nThe whole input was needed after all for {went_up} of {len(photos)} photos."
    print(markdown)
    if options.write:
        command = (
            f"uv run faceserve bench small_first {' '.join(options.packs)} --models-dir DIR --real PACK --photos PHOTOS"
        )
        measured = {"savings": [asdict(saving) for saving in savings], "photos": len(photos), "went_up": went_up}
        publish(options.write, command, measured, markdown)


def look(real: Path, photos: list[bytes]) -> tuple[dict[str, list[Shape]], int]:
    """Return the detector's input shapes over all `photos`, each way, and how many were looked at in full after all."""
    noted: dict[str, list[Shape]] = {}
    pack = find_pack(real.parent, real.name)

    def open_noting(model: Path, *arguments: Any) -> Any:
        return Noting(open_session(model, *arguments), noted.setdefault(model.name, []))

    encoder = InsightFacePackEncoder(pack, open_session=open_noting)
    shapes = {}
    went_up = 0
    for way, wanted in WAYS.items():
        noted[pack.detector.name].clear()
        analyses = [encoder.analyze(photo, wanted) for photo in photos]
        shapes[way] = list(noted[pack.detector.name])
        went_up = sum(analysis.looked_in_full for analysis in analyses)
    return shapes, went_up


def price(options: argparse.Namespace, name: str, shapes: dict[str, list[Shape]], photos: int) -> Saving:
    """Return what those runs cost on the sessions of the pack `name`."""
    pack = find_pack(options.models_dir, name)
    detector = open_session(pack.detector, name, "cpu", options.threads)
    recogniser = open_session(pack.recogniser, name, "cpu", options.threads)
    costs = {
        shape: least_ms([detector], shape, options.rounds)[0]
        for shape in sorted({shape for way in shapes.values() for shape in way})
    }
    full, small = (sum(costs[shape] for shape in shapes[way]) / photos for way in WAYS)
    return Saving(name, full, small, least_ms([recogniser], (1, 3, 112, 112), options.rounds)[0])


if __name__ == "__main__":
    main()
