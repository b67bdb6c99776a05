"""The packs that are known by name: their files, digests, licence and threshold.

The digests of InsightFace's are those of its model zoo's release, as several independent projects pin them. Those of
`opencv` are of the files that `encoders.opencv_zoo` makes: another digest would be another embedding contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

INSIGHTFACE_LICENCE = "InsightFace model packs: non-commercial research use only"
ARCFACE_THRESHOLD = 0.40  # raw cosine from which two ArcFace embeddings are called the same person
EMBEDDING_DIMENSION = 512

DEFAULT_PACK = "buffalo_l"
OPENCV_PACK = "opencv"
OPENCV_LICENCE = "YuNet: MIT; SFace: Apache-2.0. Its publisher does not say which photos SFace was trained on."


@dataclass(frozen=True, slots=True)
class KnownPack:
    """A pack and where it comes from. Digests are sha256, hex.

    `archive_sha256`, `archive_bytes`: of the download; None for a pack that comes with the installation.
    `detector_inputs`: width and height of the inputs that the detector looks at, merged; None for the usual one.
    """

    name: str
    detector: str
    recogniser: str
    detector_sha256: str
    recogniser_sha256: str
    archive_sha256: str | None
    archive_bytes: int | None
    summary: str
    licence: str = INSIGHTFACE_LICENCE
    commercial_use: bool = False
    default_threshold: float = ARCFACE_THRESHOLD
    version: str = "1"
    detector_inputs: tuple[tuple[int, int], ...] | None = None


SCRFD_10G_SHA256 = "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"
SCRFD_2_5G_SHA256 = "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9"
SCRFD_500M_SHA256 = "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a"
R50_SHA256 = "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"
MOBILEFACENET_SHA256 = "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f"
R100_SHA256 = "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf"

KNOWN_PACKS: Mapping[str, KnownPack] = MappingProxyType(
    {
        pack.name: pack
        for pack in (
            KnownPack(
                "buffalo_l",
                detector="det_10g.onnx",
                recogniser="w600k_r50.onnx",
                detector_sha256=SCRFD_10G_SHA256,
                recogniser_sha256=R50_SHA256,
                archive_sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
                archive_bytes=288_621_354,
                summary="SCRFD-10GF and ResNet-50 on WebFace600K: accurate, the default",
            ),
            KnownPack(
                "buffalo_m",
                detector="det_2.5g.onnx",
                recogniser="w600k_r50.onnx",
                detector_sha256=SCRFD_2_5G_SHA256,
                recogniser_sha256=R50_SHA256,
                archive_sha256="d98264bd8f2dc75cbc2ddce2a14e636e02bb857b3051c234b737bf3b614edca9",
                archive_bytes=275_951_529,
                summary="SCRFD-2.5GF and buffalo_l's recogniser: cheaper detection, the same embeddings",
            ),
            KnownPack(
                "buffalo_s",
                detector="det_500m.onnx",
                recogniser="w600k_mbf.onnx",
                detector_sha256=SCRFD_500M_SHA256,
                recogniser_sha256=MOBILEFACENET_SHA256,
                archive_sha256="d85a87f503f691807cd8bb97128bdf7a0660326cd9cd02657127fa978bab8b5e",
                archive_bytes=127_607_557,
                summary="SCRFD-500MF and MobileFaceNet: small and fast, weaker on identification",
            ),
            KnownPack(
                "buffalo_sc",
                detector="det_500m.onnx",
                recogniser="w600k_mbf.onnx",
                detector_sha256=SCRFD_500M_SHA256,
                recogniser_sha256=MOBILEFACENET_SHA256,
                archive_sha256="57d31b56b6ffa911c8a73cfc1707c73cab76efe7f13b675a05223bf42de47c72",
                archive_bytes=14_969_382,
                summary="buffalo_s without the models that this service does not use: the smallest download",
            ),
            KnownPack(
                "antelopev2",
                detector="scrfd_10g_bnkps.onnx",
                recogniser="glintr100.onnx",
                detector_sha256=SCRFD_10G_SHA256,
                recogniser_sha256=R100_SHA256,
                archive_sha256="8e182f14fc6e80b3bfa375b33eb6cff7ee05d8ef7633e738d1c89021dcf0c5c5",
                archive_bytes=360_662_982,
                summary="SCRFD-10GF and ResNet-100 on Glint360K: the most accurate, and twice the cost per face",
            ),
            KnownPack(
                OPENCV_PACK,
                detector="det_yunet.onnx",
                recogniser="rec_sface.onnx",
                detector_sha256="e75325a32da5763d54de3dc8da894578718c609928efcd535a663e68598b80a1",
                recogniser_sha256="1aa6ec8702aaffd6f0ecd821d5df427ce37b9b3c56ff2e8736607c3a5decd65d",
                archive_sha256=None,
                archive_bytes=None,
                summary="YuNet and SFace of OpenCV's zoo: comes with the installation, for commercial use too",
                licence=OPENCV_LICENCE,
                commercial_use=True,
                default_threshold=0.363,  # OpenCV's own: 6 of 10,252 impostor pairs pass it, and all 122 genuine ones
                # YuNet was trained on faces of 10 to 300 px. Of a face of 500 px at 640 its landmarks may be off by a
                # tenth of the width: least genuine cosine of 122 pairs 0.18 at 640 alone, 0.42 with 224 beside it.
                detector_inputs=((640, 640), (224, 224)),
            ),
        )
    }
)
