"""The pack encoder on a real pack and photos: who is in them, and the same answers as InsightFace's pipeline."""

import csv
import io
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from insightface.app import FaceAnalysis
from PIL import Image

from encoders.images.decoding import ImageLimits, decode
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack
from encoders.types import AnalyzeOptions, Face

pytestmark = pytest.mark.pack

UNKNOWN = "unknown"
WHOLE_INPUT = AnalyzeOptions(input_sizes=((640, 640),))


def gallery_of(encoder: InsightFacePackEncoder, photos: Path) -> dict[str, np.ndarray]:
    """Return the embeddings (n, 512) of each person."""
    largest = AnalyzeOptions(selection="largest")
    return {
        person.name: np.array(
            [encoder.analyze(photo.read_bytes(), largest).faces[0].embedding for photo in sorted(person.iterdir())]
        )
        for person in sorted((photos / "gallery").iterdir())
    }


@pytest.fixture(scope="module")
def group_photo() -> bytes:
    return (resources.files("insightface") / "data" / "images" / "t1.jpg").read_bytes()


@pytest.fixture(scope="module")
def every_photo(photos: Path, group_photo: bytes) -> list[bytes]:
    files = [*sorted((photos / "gallery").glob("*/*")), *sorted((photos / "probes").glob("*.[jp][pn]g"))]
    return [*(file.read_bytes() for file in files), group_photo]


def pixels_of(image: bytes) -> np.ndarray:
    return decode(image, ImageLimits(max_pixels=100_000_000)).pixels


def jpeg(pixels: np.ndarray, quality: int = 95) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))[1])


def bitmap(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".bmp", np.ascontiguousarray(pixels))[1])


def embedding_of(face: Face) -> np.ndarray:
    assert face.embedding is not None
    return face.embedding


def overlap(face: Face, box: np.ndarray) -> float:
    """Return intersection over union."""
    width = min(face.box.right, box[2]) - max(face.box.left, box[0])
    height = min(face.box.bottom, box[3]) - max(face.box.top, box[1])
    shared = max(0.0, width) * max(0.0, height)
    return float(shared / (face.box.area + (box[2] - box[0]) * (box[3] - box[1]) - shared))


def nearest(faces: tuple[Face, ...], face: Face) -> Face:
    return min(faces, key=lambda other: float(np.abs(other.landmarks - face.landmarks).max()))


@pytest.fixture(scope="module")
def openvino_encoder(real_models_dir: Path) -> InsightFacePackEncoder:
    return InsightFacePackEncoder(find_pack(real_models_dir, "mini"), provider="openvino")


@pytest.mark.parametrize("name", ["real_encoder", "openvino_encoder", "opencv_encoder"])
def test_every_probe_shows_the_people_that_it_shows(name: str, request: pytest.FixtureRequest, photos: Path) -> None:
    encoder: InsightFacePackEncoder = request.getfixturevalue(name)
    gallery = gallery_of(encoder, photos)
    with (photos / "probes" / "truth.csv").open(newline="") as file:
        truth = {row["file"]: sorted(row["people"].split(";")) for row in csv.DictReader(file)}

    seen = {}
    for file_name in truth:
        people = []
        for face in encoder.analyze((photos / "probes" / file_name).read_bytes(), AnalyzeOptions()).faces:
            similarities = {name: float((known @ embedding_of(face)).max()) for name, known in gallery.items()}
            best = max(similarities, key=lambda name: similarities[name])
            people.append(best if similarities[best] >= encoder.model.default_threshold else UNKNOWN)
        seen[file_name] = sorted(people)

    assert seen == truth


def test_openvino_finds_and_embeds_what_onnx_runtime_does(
    real_encoder: InsightFacePackEncoder, openvino_encoder: InsightFacePackEncoder, every_photo: list[bytes]
) -> None:
    overlaps, similarities = [], []
    for image in every_photo:
        expected = real_encoder.analyze(image, WHOLE_INPUT).faces
        faces = openvino_encoder.analyze(image, WHOLE_INPUT).faces
        assert len(faces) == len(expected)
        for face in faces:
            same = nearest(expected, face)
            box = np.array([same.box.left, same.box.top, same.box.right, same.box.bottom])
            overlaps.append(overlap(face, box))
            similarities.append(float(embedding_of(face) @ embedding_of(same)))

    # bfloat16 moves landmarks by 0.3% of a face in the mean, 2.5% at most; encoding a photo anew at quality 90 gives a
    # mean cosine of 0.998
    assert min(overlaps) > 0.95
    assert np.mean(similarities) > 0.99
    assert min(similarities) > 0.95


def test_every_face_of_a_group_is_found(real_encoder: InsightFacePackEncoder, group_photo: bytes) -> None:
    assert real_encoder.analyze(group_photo, AnalyzeOptions()).faces_found == 6


def test_a_batch_embeds_as_single_faces_do(real_encoder: InsightFacePackEncoder, group_photo: bytes) -> None:
    faces = real_encoder.analyze(group_photo, AnalyzeOptions(crop=True)).faces
    crops = [cv2.imdecode(np.frombuffer(face.crop or b"", np.uint8), cv2.IMREAD_COLOR) for face in faces]

    together = real_encoder.embed(crops)
    alone = [real_encoder.embed([crop])[0] for crop in crops]

    assert np.abs(np.array(together) - np.array(alone)).max() < 1e-4


@pytest.mark.filterwarnings("ignore::FutureWarning")  # insightface calls skimage's deprecated estimate()
def test_boxes_and_embeddings_are_those_of_insightface(
    real_encoder: InsightFacePackEncoder, real_models_dir: Path, every_photo: list[bytes]
) -> None:
    session_options = onnxruntime.SessionOptions()
    session_options.log_severity_level = 3
    theirs = FaceAnalysis(
        str(real_models_dir / "mini"),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
        sess_options=session_options,
        static_shape_sessions=False,
    )
    theirs.prepare(ctx_id=-1, det_thresh=0.5, det_size=(640, 640))

    overlaps, similarities = [], []
    for image in every_photo:
        expected = theirs.get(pixels_of(image))
        faces = real_encoder.analyze(image, WHOLE_INPUT).faces
        assert len(faces) == len(expected)
        for face in faces:
            best = max(expected, key=lambda other, face=face: overlap(face, other.bbox))
            overlaps.append(overlap(face, best.bbox))
            similarities.append(float(embedding_of(face) @ best.normed_embedding))

    assert min(overlaps) > 0.99
    assert min(similarities) > 0.999


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_photo_gives_the_answer_of_the_upright_one(
    real_encoder: InsightFacePackEncoder, photos: Path, orientation: int
) -> None:
    pixels = pixels_of((photos / "probes" / "e.jpg").read_bytes())
    turns = {3: 2, 6: 1, 8: -1}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored = np.ascontiguousarray(np.rot90(pixels, turns)[:, :, ::-1])
    Image.fromarray(stored).save(buffer, "JPEG", quality=95, exif=exif)

    turned = real_encoder.analyze(buffer.getvalue(), AnalyzeOptions())
    upright = real_encoder.analyze(jpeg(pixels), AnalyzeOptions())

    assert (turned.width, turned.height, turned.faces_found) == (upright.width, upright.height, upright.faces_found)
    for face in upright.faces:
        other = nearest(turned.faces, face)
        assert np.abs(other.landmarks - face.landmarks).max() < 3
        assert float(embedding_of(other) @ embedding_of(face)) > 0.99


@pytest.mark.parametrize("longer_px", [2700, 4200])
def test_a_reduced_decode_loses_nothing_that_the_detector_or_a_crop_would_use(
    real_encoder: InsightFacePackEncoder, photos: Path, longer_px: int
) -> None:
    similarities = []
    for file in ("probes/a.jpg", "probes/c.jpg", "probes/e.jpg", "gallery/biden/2.jpg"):
        pixels = pixels_of((photos / file).read_bytes())
        scale = longer_px / max(pixels.shape[:2])
        image = jpeg(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), 90)
        assert decode(image, ImageLimits(), enough_px=1280).reduction == 2
        whole = pixels_of(image)
        half_size = (-(-whole.shape[1] // 2), -(-whole.shape[0] // 2))  # libjpeg rounds up

        reduced = real_encoder.analyze(image, AnalyzeOptions())
        averaged = real_encoder.analyze(
            bitmap(cv2.resize(whole, half_size, interpolation=cv2.INTER_AREA)), AnalyzeOptions()
        )

        assert (reduced.width, reduced.height) == (whole.shape[1], whole.shape[0])
        assert reduced.faces_found == averaged.faces_found > 0
        for face in averaged.faces:
            other = min(reduced.faces, key=lambda other: float(np.abs(other.landmarks / 2 - face.landmarks).max()))
            similarities.append(float(embedding_of(other) @ embedding_of(face)))

    assert min(similarities) > 0.99
    assert np.mean(similarities) > 0.995


def test_a_photo_cropped_to_the_face_is_recognised(real_encoder: InsightFacePackEncoder, photos: Path) -> None:
    image = (photos / "probes" / "d.jpg").read_bytes()
    pixels = pixels_of(image)
    face = real_encoder.analyze(image, AnalyzeOptions()).faces[0]
    box = [max(0, int(edge)) for edge in (face.box.top, face.box.bottom, face.box.left, face.box.right)]

    close_up = real_encoder.analyze(jpeg(pixels[box[0] : box[1], box[2] : box[3]]), AnalyzeOptions())

    assert close_up.faces_found == 1
    assert float(embedding_of(close_up.faces[0]) @ embedding_of(face)) > 0.7


def test_faces_before_a_transparent_background_are_found(real_encoder: InsightFacePackEncoder, photos: Path) -> None:
    pixels = pixels_of((photos / "probes" / "d.jpg").read_bytes())
    face = real_encoder.analyze(jpeg(pixels), AnalyzeOptions()).faces[0]
    alpha = np.zeros(pixels.shape[:2], np.uint8)
    centre = (int((face.box.left + face.box.right) / 2), int((face.box.top + face.box.bottom) / 2))
    cv2.ellipse(alpha, centre, (int(face.box.width * 0.8), int(face.box.height * 0.9)), 0, 0, 360, 255, -1)
    cut_out = bytes(cv2.imencode(".png", np.dstack([pixels, alpha]))[1])

    analysis = real_encoder.analyze(cut_out, AnalyzeOptions())

    assert analysis.faces_found == 1
    assert float(embedding_of(analysis.faces[0]) @ embedding_of(face)) > 0.9


def test_quality_falls_with_blur(real_encoder: InsightFacePackEncoder, photos: Path) -> None:
    pixels = pixels_of((photos / "probes" / "d.jpg").read_bytes())
    largest = AnalyzeOptions(selection="largest", embed=False)

    sharp = real_encoder.analyze(jpeg(pixels), largest).faces[0].quality
    blurred = real_encoder.analyze(jpeg(cv2.GaussianBlur(pixels, (0, 0), 8)), largest).faces[0].quality
    half_size = real_encoder.analyze(jpeg(cv2.resize(pixels, None, fx=0.5, fy=0.5)), largest).faces[0].quality

    assert blurred.sharpness < 0.3 < sharp.sharpness
    assert blurred.score < sharp.score
    assert half_size.sharpness == pytest.approx(sharp.sharpness, abs=0.1)
