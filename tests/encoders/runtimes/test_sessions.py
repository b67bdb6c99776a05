import os
from pathlib import Path

import onnxruntime
import pytest

from encoders.errors import PackCorrupt, ProviderUnavailable
from encoders.runtimes.sessions import open_session


@pytest.fixture
def model(drawn_models_dir: Path) -> Path:
    return drawn_models_dir / "drawn" / "rec.onnx"


def test_a_session_runs_where_and_on_as_many_threads_as_it_was_told(model: Path) -> None:
    session = open_session(model, "drawn", "cpu", threads=2)

    options = session.get_session_options()
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_telemetry_is_off_before_onnx_runtime_starts() -> None:
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_there_is_refused(model: Path, provider: str) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the provider")

    with pytest.raises(ProviderUnavailable) as refused:
        open_session(model, "drawn", provider, threads=1)

    assert "CPUExecutionProvider" in refused.value.found


def test_a_provider_that_nobody_knows_is_refused(model: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="abacus"):
        open_session(model, "drawn", "abacus", threads=1)


def test_a_session_that_fell_back_to_another_provider_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a machine with the GPU build but without CUDA's libraries: available, and not there after loading.
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )

    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(ProviderUnavailable) as refused:
        open_session(model, "drawn", "cuda", threads=1)

    assert refused.value.found == ("CPUExecutionProvider",)


def test_a_file_that_onnx_runtime_cannot_load_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "rec.onnx").write_bytes(b"\x08\x08" * 100)

    with pytest.raises(PackCorrupt, match=r"rec\.onnx") as failure:
        open_session(tmp_path / "rec.onnx", "drawn", "cpu", threads=1)

    assert str(tmp_path) not in str(failure.value)
