"""What this machine's processor can do, as Linux tells it."""

from pathlib import Path


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str] | None:
    """Return the flags of the first processor, such as "avx512_vnni"; None where the system does not tell them."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((frozenset(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), None)


def has_vnni() -> bool | None:
    """Return whether the processor multiplies int8 fast; None where that cannot be read."""
    flags = processor_flags()
    return None if flags is None else bool({"avx512_vnni", "avx_vnni"} & flags)


def multiplies_bfloat16_in_tiles() -> bool:
    """Return whether the processor has AMX for bfloat16. AVX-512 for bfloat16 alone is slower than float32."""
    return "amx_bf16" in (processor_flags() or ())
