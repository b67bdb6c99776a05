import subprocess
import sys

HEAVY = ("insightface", "onnxruntime", "onnx", "skimage", "cv2", "ray", "fastapi", "pydantic")


def loaded_after(statement: str) -> set[str]:
    """Return which of the heavy packages a fresh interpreter has loaded after `statement`."""
    program = f"import sys; {statement}; print(*({HEAVY!r} and [m for m in {HEAVY!r} if m in sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(answer.stdout.split())


def test_importing_the_package_and_its_types_loads_nothing_heavy() -> None:
    assert loaded_after("import encoders, encoders.types, encoders.errors") == set()


def test_finding_packs_needs_no_inference_library() -> None:
    assert loaded_after("import encoders.packs.directory, encoders.packs.catalog, encoders.packs.install") == set()


def test_loading_by_name_imports_models_only_when_it_loads_one() -> None:
    assert loaded_after("import encoders.loading") <= {"cv2"}


def test_the_encoder_pulls_in_no_web_framework() -> None:
    loaded = loaded_after("import encoders.pack_encoder")

    assert not loaded & {"ray", "fastapi", "pydantic"}


def test_telemetry_is_off_once_onnx_runtime_is_loaded() -> None:
    program = "import os, sys; os.environ.pop('ORT_DISABLE_TELEMETRY', None); import encoders.runtimes.sessions; " + (
        "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert answer.stdout.split() == ["1", "True"]
