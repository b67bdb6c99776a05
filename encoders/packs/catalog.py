"""The InsightFace packs that are known by name: their files, digests, licence and threshold.

The digests are those of the model zoo's release, as several independent projects pin them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

INSIGHTFACE_LICENCE = "InsightFace model packs: non-commercial research use only"
ARCFACE_THRESHOLD = 0.40  # raw cosine from which two ArcFace embeddings are called the same person
EMBEDDING_DIMENSION = 512

DEFAULT_PACK = "buffalo_l"


@dataclass(frozen=True, slots=True)
class KnownPack:
    """A pack of InsightFace's model zoo. Digests are sha256, hex; sizes are of the download."""

    name: str
    detector: str
    recogniser: str
    detector_sha256: str
    recogniser_sha256: str
    archive_sha256: str
    archive_bytes: int
    summary: str
    licence: str = INSIGHTFACE_LICENCE
    commercial_use: bool = False
    default_threshold: float = ARCFACE_THRESHOLD
    version: str = "1"


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
        )
    }
)
