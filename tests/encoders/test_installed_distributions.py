from importlib.metadata import distributions


def installed(prefix: str) -> set[str]:
    names = {distribution.metadata["Name"].lower().replace("_", "-") for distribution in distributions()}
    return {name for name in names if name.startswith(prefix)}


def test_exactly_one_opencv_is_installed() -> None:
    # Two of them write the same files, and the one with a window system needs libGL.
    assert installed("opencv") == {"opencv-python-headless"}


def test_exactly_one_onnx_runtime_is_installed() -> None:
    assert len(installed("onnxruntime") & {"onnxruntime", "onnxruntime-gpu"}) == 1
