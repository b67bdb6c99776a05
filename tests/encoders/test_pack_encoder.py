"""The pack encoder on the drawn pack, whose detector calls every bright spot on black a face."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from PIL import Image

from encoders.errors import EncoderBroken, ImageTooLarge, InvalidImage, PackCorrupt, ProviderUnavailable
from encoders.images.decoding import ImageLimits
from encoders.loading import load_encoder
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack
from encoders.types import Analysis, AnalyzeOptions


def spots(*centres_and_radii: tuple[int, int, int], size: tuple[int, int] = (640, 480)) -> np.ndarray:
    """Return a black picture, BGR, with a white disc at each (x, y, radius)."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for x, y, radius in centres_and_radii:
        cv2.circle(pixels, (x, y), radius, (255, 255, 255), -1)
    return pixels


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def centres(analysis: Analysis) -> list[tuple[float, float]]:
    return [((face.box.left + face.box.right) / 2, (face.box.top + face.box.bottom) / 2) for face in analysis.faces]


TWO_FACES = spots((160, 160, 40), (480, 320, 40))


def test_faces_are_found_where_they_are(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions())

    assert (analysis.width, analysis.height) == (640, 480)
    assert analysis.faces_found == len(analysis.faces) >= 2
    for spot in ((160, 160), (480, 320)):
        assert min(np.hypot(x - spot[0], y - spot[1]) for x, y in centres(analysis)) < 40


def test_faces_come_largest_first(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(spots((100, 100, 12), (400, 300, 60))), AnalyzeOptions())

    areas = [face.box.area for face in analysis.faces]
    assert areas == sorted(areas, reverse=True)


def test_embeddings_are_unit_vectors_of_their_own(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions())

    for face in analysis.faces:
        assert face.embedding is not None
        assert (face.embedding.shape, face.embedding.dtype) == ((512,), np.float32)
        assert face.embedding.flags.c_contiguous
        assert face.embedding.flags.owndata
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)


def test_a_face_without_embedding_costs_no_recognition(
    drawn_encoder: InsightFacePackEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawn_encoder, "_recogniser", None)

    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions(embed=False))

    assert analysis.faces
    assert all(face.embedding is None for face in analysis.faces)


def test_a_crop_is_an_aligned_jpeg(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions(crop=True))

    crop = analysis.faces[0].crop
    assert crop is not None
    assert Image.open(io.BytesIO(crop)).size == (112, 112)
    assert Image.open(io.BytesIO(crop)).format == "JPEG"


def test_no_crop_is_made_unasked(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions())

    assert all(face.crop is None for face in analysis.faces)


def test_the_largest_face_alone_is_described_but_all_are_counted(drawn_encoder: InsightFacePackEncoder) -> None:
    everyone = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions())

    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions(selection="largest", counts_faces=True))

    assert analysis.looked_in_full
    assert analysis.faces_found == everyone.faces_found
    assert [face.box for face in analysis.faces] == [everyone.faces[0].box]


def test_the_large_and_central_face_wins_over_a_larger_one_at_the_edge(drawn_encoder: InsightFacePackEncoder) -> None:
    image = png(spots((40, 40, 38), (320, 240, 36)))

    analysis = drawn_encoder.analyze(image, AnalyzeOptions(selection="center_largest"))

    [(x, y)] = centres(analysis)
    assert np.hypot(x - 320, y - 240) < 40


def test_no_more_faces_than_asked_for_are_described(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions(max_faces=1))

    assert len(analysis.faces) == 1
    assert analysis.faces_found > 1


@pytest.mark.parametrize("selection", ["all", "largest", "center_largest"])
def test_a_picture_without_faces_has_none(drawn_encoder: InsightFacePackEncoder, selection: str) -> None:
    analysis = drawn_encoder.analyze(png(spots()), AnalyzeOptions(selection=selection))  # type: ignore[arg-type]

    assert (analysis.faces, analysis.faces_found) == ((), 0)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 500), (500, 1), (2, 3), (12, 12), (40, 40), (3000, 1), (1, 3000), (3000, 60), (60, 3000)]
)
@pytest.mark.parametrize("tone", [0, 255])
def test_pictures_of_any_shape_are_analysed(
    drawn_encoder: InsightFacePackEncoder, size: tuple[int, int], tone: int
) -> None:
    picture = np.full((size[1], size[0], 3), tone, np.uint8)

    analysis = drawn_encoder.analyze(png(picture), AnalyzeOptions())

    assert (analysis.width, analysis.height) == size
    if tone == 0:
        assert analysis.faces_found == 0


def test_a_line_of_a_picture_has_no_faces(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(np.full((1, 3000, 3), 255, np.uint8)), AnalyzeOptions())

    assert analysis.faces == ()


def test_coordinates_are_those_of_the_full_upright_picture(drawn_encoder: InsightFacePackEncoder) -> None:
    sideways = np.rot90(spots((700, 800, 400), size=(2560, 3200)), 1)  # as a camera held upright stores it
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(sideways)).save(buffer, "JPEG", quality=90, exif=exif)

    analysis = drawn_encoder.analyze(buffer.getvalue(), AnalyzeOptions(selection="largest"))

    assert (analysis.width, analysis.height) == (2560, 3200)
    [(x, y)] = centres(analysis)
    assert np.hypot(x - 700, y - 800) < 420
    assert np.hypot(*(analysis.faces[0].landmarks.mean(axis=0) - (700, 800))) < 420


def test_a_small_face_in_a_large_picture_is_cut_from_the_full_one(drawn_encoder: InsightFacePackEncoder) -> None:
    pixels = spots((1000, 1000, 160), size=(2560, 1920))
    pixels[::2] //= 2  # lines of one pixel, which only the full picture shows
    jpeg = bytes(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 95))[1])
    options = AnalyzeOptions(selection="largest", detection_threshold=0.1)

    reduced, full = drawn_encoder.analyze(jpeg, options), drawn_encoder.analyze(png(pixels), options)

    assert reduced.faces[0].box.width == pytest.approx(full.faces[0].box.width, rel=0.05)
    assert reduced.faces[0].embedding is not None
    assert full.faces[0].embedding is not None
    assert float(reduced.faces[0].embedding @ full.faces[0].embedding) > 0.99


def test_a_higher_threshold_finds_fewer_faces(drawn_encoder: InsightFacePackEncoder) -> None:
    grey = spots((160, 160, 40), (480, 320, 40))
    grey[:, :320] = (grey[:, :320] * 0.85).astype(np.uint8)  # scores 0.7 in the detector's terms

    low = drawn_encoder.analyze(png(grey), AnalyzeOptions(detection_threshold=0.5))
    high = drawn_encoder.analyze(png(grey), AnalyzeOptions(detection_threshold=0.9))

    assert low.faces_found > high.faces_found > 0


def test_a_lower_overlap_threshold_finds_fewer_faces(drawn_encoder: InsightFacePackEncoder) -> None:
    image = png(spots((320, 240, 80)))

    strict = drawn_encoder.analyze(image, AnalyzeOptions(nms_threshold=0.1))
    loose = drawn_encoder.analyze(image, AnalyzeOptions(nms_threshold=0.8))
    default = drawn_encoder.analyze(image, AnalyzeOptions())

    assert strict.faces_found < default.faces_found < loose.faces_found  # the default is back after each call


def test_input_sizes_of_a_call_are_merged(drawn_encoder: InsightFacePackEncoder) -> None:
    image = png(spots((320, 240, 200)))

    both = drawn_encoder.analyze(image, AnalyzeOptions(input_sizes=((128, 128), (640, 640)), nms_threshold=0.99))
    small = drawn_encoder.analyze(image, AnalyzeOptions(input_sizes=((128, 128),), nms_threshold=0.99))
    large = drawn_encoder.analyze(image, AnalyzeOptions(input_sizes=((640, 640),), nms_threshold=0.99))

    assert both.faces_found > large.faces_found
    assert both.faces[0].box.area == pytest.approx(small.faces[0].box.area, rel=0.01)


def test_an_input_size_that_scrfd_could_not_take_is_rounded_up(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions(input_sizes=((333, 250),)))

    assert analysis.faces


def test_a_batch_embeds_as_single_faces_do(drawn_encoder: InsightFacePackEncoder) -> None:
    crops = [np.random.default_rng(seed).integers(0, 255, (112, 112, 3), dtype=np.uint8) for seed in range(19)]

    together = drawn_encoder._recogniser.embed(crops)
    alone = [drawn_encoder._recogniser.embed([crop])[0] for crop in crops]

    assert np.abs(np.array(together) - np.array(alone)).max() < 1e-5


def test_a_sound_encoder_passes_its_check(drawn_encoder: InsightFacePackEncoder) -> None:
    drawn_encoder.check()


def test_an_encoder_whose_answers_changed_fails_its_check(drawn_models_dir: Path) -> None:
    encoder = InsightFacePackEncoder(find_pack(drawn_models_dir, "drawn"))
    encoder._answer_at_start = -encoder._answer_at_start

    with pytest.raises(EncoderBroken):
        encoder.check()


def test_a_model_that_gives_no_direction_breaks_the_encoder(tmp_path: Path, drawn_models_dir: Path) -> None:
    shutil.copytree(drawn_models_dir / "drawn", tmp_path / "zero")
    model = onnx.load(str(tmp_path / "zero" / "rec.onnx"))
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0])
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.zeros_like(weights), "mixture"))
    onnx.save(model, str(tmp_path / "zero" / "rec.onnx"))

    with pytest.raises(EncoderBroken):
        InsightFacePackEncoder(find_pack(tmp_path, "zero"))


def test_the_description_names_models_licence_and_threshold(drawn_encoder: InsightFacePackEncoder) -> None:
    model = drawn_encoder.model

    assert (model.pack, model.default_threshold) == ("drawn", 0.40)
    assert model.provider in ("cpu", "openvino")
    assert model.contract.model_digest == model.components[1].sha256
    assert model.contract.dimension == 512
    assert "unknown" in model.licence


def test_packs_that_share_a_recogniser_share_a_contract(tmp_path: Path, drawn_models_dir: Path) -> None:
    shutil.copytree(drawn_models_dir / "drawn", tmp_path / "one")
    shutil.copytree(drawn_models_dir / "drawn", tmp_path / "two")

    one, two = (load_encoder(name, tmp_path).model.contract for name in ("one", "two"))

    assert one.id == two.id


def test_a_provider_that_is_not_there_stops_the_encoder(drawn_models_dir: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        InsightFacePackEncoder(find_pack(drawn_models_dir, "drawn"), provider="abacus")


def test_a_pack_that_was_damaged_since_it_was_found_stops_the_encoder(tmp_path: Path, drawn_models_dir: Path) -> None:
    shutil.copytree(drawn_models_dir / "drawn", tmp_path / "drawn")
    pack = replace(find_pack(tmp_path, "drawn"), recogniser_sha256="0" * 64)

    with pytest.raises(PackCorrupt):
        InsightFacePackEncoder(pack)


def test_the_limits_given_are_those_that_hold(drawn_models_dir: Path) -> None:
    encoder = InsightFacePackEncoder(find_pack(drawn_models_dir, "drawn"), limits=ImageLimits(max_pixels=100))

    with pytest.raises(ImageTooLarge):
        encoder.analyze(png(TWO_FACES), AnalyzeOptions())


def test_a_picture_that_cannot_be_decoded_is_an_image_error(drawn_encoder: InsightFacePackEncoder) -> None:
    with pytest.raises(InvalidImage):
        drawn_encoder.analyze(png(TWO_FACES)[:200], AnalyzeOptions())


def test_the_time_of_every_stage_is_told(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(png(TWO_FACES), AnalyzeOptions())

    assert min(analysis.decode_ms, analysis.detect_ms, analysis.embed_ms) > 0
