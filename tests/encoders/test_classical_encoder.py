from collections.abc import Callable
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from encoders.classical.encoder import ClassicalEncoder
from encoders.classical.features import projection
from encoders.errors import EncoderBroken, InvalidImage
from encoders.loading import load_encoder
from encoders.types import AnalyzeOptions

# A photo that scikit-image carries, and one that insightface carries.
ASTRONAUT_FACE = (225, 115)  # the nose
GROUP_FACES = 6


@pytest.fixture(scope="module")
def encoder() -> ClassicalEncoder:
    return ClassicalEncoder()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    load: Callable[[], np.ndarray] = data.astronaut
    return np.ascontiguousarray(load()[:, :, ::-1])


@pytest.fixture(scope="module")
def group() -> np.ndarray:
    image = (resources.files("insightface") / "data" / "images" / "t1.jpg").read_bytes()
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)


def jpeg(pixels: np.ndarray, quality: int = 95) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))[1])


def test_the_astronauts_face_is_found_once(encoder: ClassicalEncoder, astronaut: np.ndarray) -> None:
    analysis = encoder.analyze(jpeg(astronaut), AnalyzeOptions())

    [face] = analysis.faces
    assert face.box.left < ASTRONAUT_FACE[0] < face.box.right
    assert face.box.top < ASTRONAUT_FACE[1] < face.box.bottom
    assert face.embedding is not None
    assert (face.embedding.shape, face.embedding.dtype) == ((512,), np.float32)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)


def test_half_of_a_group_is_found_and_nothing_else(encoder: ClassicalEncoder, group: np.ndarray) -> None:
    analysis = encoder.analyze(jpeg(group), AnalyzeOptions())

    assert GROUP_FACES / 2 <= analysis.faces_found <= GROUP_FACES


@pytest.mark.parametrize(
    ("change", "at_least"),
    [
        (lambda pixels: jpeg(pixels, 60), 0.9),
        (lambda pixels: jpeg(cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)), 0.9),
        (lambda pixels: jpeg(cv2.resize(pixels, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC)), 0.9),
        (lambda pixels: jpeg(cv2.convertScaleAbs(pixels, alpha=0.8, beta=20)), 0.9),
        (lambda pixels: jpeg(np.ascontiguousarray(pixels[10:, 15:])), 0.85),
    ],
    ids=["encoded again", "smaller", "larger", "less contrast", "cropped"],
)
def test_a_copy_of_a_photo_is_recognised(
    encoder: ClassicalEncoder, astronaut: np.ndarray, change: Callable[[np.ndarray], bytes], at_least: float
) -> None:
    original = encoder.analyze(jpeg(astronaut), AnalyzeOptions(selection="largest")).faces[0].embedding

    copy = encoder.analyze(change(astronaut), AnalyzeOptions(selection="largest")).faces[0].embedding

    assert original is not None
    assert copy is not None
    assert float(original @ copy) > at_least > encoder.model.default_threshold


def test_different_people_stay_below_the_threshold(
    encoder: ClassicalEncoder, astronaut: np.ndarray, group: np.ndarray
) -> None:
    faces = [face for pixels in (astronaut, group) for face in encoder.analyze(jpeg(pixels), AnalyzeOptions()).faces]

    embeddings = np.array([face.embedding for face in faces])
    similarities = (embeddings @ embeddings.T)[np.triu_indices(len(faces), 1)]
    assert similarities.max() < encoder.model.default_threshold


def test_coordinates_are_those_of_the_full_picture(encoder: ClassicalEncoder, astronaut: np.ndarray) -> None:
    small = encoder.analyze(jpeg(astronaut), AnalyzeOptions()).faces[0]

    large = encoder.analyze(jpeg(cv2.resize(astronaut, None, fx=6, fy=6)), AnalyzeOptions())

    assert (large.width, large.height) == (3072, 3072)
    assert large.faces[0].box.width == pytest.approx(small.box.width * 6, rel=0.1)
    assert np.abs(large.faces[0].landmarks / 6 - small.landmarks).max() < 10


def test_the_landmarks_lie_in_the_box(encoder: ClassicalEncoder, astronaut: np.ndarray) -> None:
    face = encoder.analyze(jpeg(astronaut), AnalyzeOptions()).faces[0]

    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert face.box.left < left_eye[0] < nose[0] < right_eye[0] < face.box.right
    assert face.box.top < left_eye[1] < nose[1] < left_mouth[1] < face.box.bottom
    assert left_mouth[0] < right_mouth[0]
    assert abs(face.quality.yaw) < 5


def test_options_choose_embedding_crop_and_selection(encoder: ClassicalEncoder, group: np.ndarray) -> None:
    options = AnalyzeOptions(selection="center_largest", embed=False, crop=True)

    analysis = encoder.analyze(jpeg(group), options)

    [face] = analysis.faces
    assert face.embedding is None
    assert face.crop is not None
    assert face.crop.startswith(b"\xff\xd8")
    assert analysis.faces_found > 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (27, 27), (28, 28), (2000, 20)])
def test_pictures_of_any_shape_are_analysed(encoder: ClassicalEncoder, size: tuple[int, int]) -> None:
    analysis = encoder.analyze(jpeg(np.full((size[1], size[0], 3), 127, np.uint8)), AnalyzeOptions())

    assert (analysis.width, analysis.height, analysis.faces) == (*size, ())


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_a_picture_without_people_has_no_faces(encoder: ClassicalEncoder, name: str) -> None:
    pixels: np.ndarray = getattr(data, name)()

    assert encoder.analyze(jpeg(pixels[:, :, ::-1]), AnalyzeOptions()).faces == ()


def test_bytes_that_are_no_picture_are_an_image_error(encoder: ClassicalEncoder) -> None:
    with pytest.raises(InvalidImage):
        encoder.analyze(b"\xff\xd8\xff" + b"\0" * 100, AnalyzeOptions())


def test_it_loads_by_name_without_a_models_directory(tmp_path: Path) -> None:
    model = load_encoder("classical", tmp_path / "absent").model

    assert (model.pack, model.commercial_use, model.contract.dimension) == ("classical", True, 512)
    assert "BSD" in model.licence


def test_it_passes_its_check_until_its_answer_changes(tmp_path: Path) -> None:
    encoder = ClassicalEncoder()
    encoder.check()
    encoder._answer_at_start = np.roll(encoder._answer_at_start, 1)

    with pytest.raises(EncoderBroken):
        encoder.check()


def test_the_projection_is_the_same_everywhere() -> None:
    signs = projection(100)

    # The first bytes of PCG64(20260101)'s raw output, recorded with NumPy 2.4.
    assert np.packbits(signs.ravel()[:64] > 0).tobytes().hex() == "aae8d0736204783b"
    assert set(np.unique(signs)) == {-1, 1}
