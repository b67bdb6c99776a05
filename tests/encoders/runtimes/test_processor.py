"""What the processor can do is read from Linux."""

from pathlib import Path

import pytest

from encoders.runtimes import processor
from encoders.runtimes.opening import fastest_on_cpu
from encoders.runtimes.processor import processor_flags


def test_the_flags_are_those_of_the_first_processor(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx512_bf16\nprocessor : 1\nflags : fpu\n")

    assert processor_flags(tmp_path / "cpuinfo") == {"fpu", "avx512_bf16"}


def test_a_system_that_tells_nothing_has_no_flags(tmp_path: Path) -> None:
    assert processor_flags(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("flags", "expected"), [({"avx512_bf16"}, "cpu"), ({"avx512_bf16", "amx_bf16"}, "openvino"), (None, "cpu")]
)
def test_openvino_is_chosen_where_there_is_amx(
    monkeypatch: pytest.MonkeyPatch, flags: set[str] | None, expected: str
) -> None:
    monkeypatch.setattr(processor, "processor_flags", lambda: flags)

    assert fastest_on_cpu() == expected
