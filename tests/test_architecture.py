"""Who may import whom, what must not happen at import, and what the environment must look like."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("configs", "encoders", "store", "deployments")
MAX_MODULES = 14  # beside its sub-folders: more is a heap in which nobody finds anything
CLIENT = ROOT / "deployments" / "client"
CLIENT_PACKAGES = {"httpx2", "pydantic", "faceserve_client", "PIL"}  # the last only where there are arrays
LEAVES = ("configs", "encoders", "store")
FORBIDDEN = {
    "configs": {"encoders", "store", "deployments", "ray", "fastapi", "asyncpg", "onnxruntime", "cv2"},
    "encoders": {"configs", "store", "deployments", "ray", "fastapi", "asyncpg", "pydantic"},
    "store": {"configs", "encoders", "deployments", "ray", "fastapi", "onnxruntime", "cv2"},
    "locustfiles": {*PACKAGES, "ray", "fastapi", "asyncpg", "tests"},
}
# What the modules of a room may not import, by the beginning of the name. A room is a folder with all below it.
ROOMS = {
    "deployments/http": ("ray",),
    "deployments/decisions": ("ray", "fastapi", "starlette", "deployments.http"),
    "deployments/http/routes": ("deployments.http.routes",),  # what two of them need lies below both
    "deployments/console": ("ray", "configs", "encoders", "store", "deployments.http"),
    "deployments/inference": ("ray", "fastapi", "starlette"),
    "encoders/images": ("onnxruntime", "openvino"),
    "deployments/client": (*PACKAGES, "ray", "fastapi", "starlette", "numpy"),  # a distribution of its own
}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


OURS = [path for package in PACKAGES for path in modules(package) if path.name != "__init__.py"]


def imports(path: Path) -> Iterator[str]:
    """Give every module that `path` imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imported_modules(path: Path) -> set[str]:
    """Return what `path` imports when it is imported itself; `from a import b` may mean the module `a.b`."""
    found = set[str]()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def arrows() -> dict[str, set[str]]:
    """Return for each module of the packages the others that it imports."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in OURS}
    return {name: imported_modules(path) & set(names) - {name} for name, path in names.items()}


def circles(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return what is left of `graph` once all that needs nothing is taken away, again and again."""
    while leaves := {name for name, needed in graph.items() if not needed}:
        graph = {name: needed - leaves for name, needed in graph.items() if name not in leaves}
    return graph


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    for path in modules(folder):
        wrong = {name for name in imports(path) if name.split(".")[0] in FORBIDDEN[folder]}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_keeps_to_its_subject(room: str) -> None:
    for path in modules(room):
        wrong = {name for name in imports(path) if any(f"{name}.".startswith(f"{word}.") for word in ROOMS[room])}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = ("cpu", "openvino", "telemetry", "local")
    wanted = [
        *project["project"]["dependencies"],
        *(name for group in groups for name in project["dependency-groups"][group]),
    ]
    declared = {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in wanted}
    distributions = packages_distributions()
    for path in (path for package in PACKAGES for path in modules(package)):
        for name in imports(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in PACKAGES:
                continue
            if CLIENT in path.parents and top in CLIENT_PACKAGES:
                continue
            found = {distribution.lower().replace("_", "-") for distribution in distributions.get(top, [top])}
            assert found & declared, f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not declare"


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not circles(arrows()), "these modules import each other, or import others that do"


@pytest.mark.parametrize("folder", sorted({".".join(path.relative_to(ROOT).parent.parts) for path in OURS}))
def test_no_arrow_goes_up_between_the_rooms_of_a_folder(folder: str) -> None:
    """A room counts as one with all that is below it, a module of the folder itself for itself alone."""
    depth = folder.count(".") + 2
    inside = {name: others for name, others in arrows().items() if name.startswith(f"{folder}.")}
    floors: dict[str, set[str]] = {}
    for name, others in inside.items():
        room, *below = (".".join(module.split(".")[:depth]) for module in (name, *(others & set(inside))))
        floors.setdefault(room, set()).update(set(below) - {room})

    assert not circles(floors), "these stand on each other, so that none of them is the lower one"


@pytest.mark.parametrize("folder", [*PACKAGES, "locustfiles", "tests"])
def test_no_folder_is_a_heap(folder: str) -> None:
    for room in {path.parent for path in modules(folder)}:
        found = [path for path in room.glob("*.py") if path.name not in ("__init__.py", "conftest.py")]
        assert len(found) <= MAX_MODULES, f"{room.relative_to(ROOT)} has {len(found)} modules"


def test_only_the_composition_root_binds_deployments() -> None:
    binders = [
        path.name for path in modules("deployments") if re.search(r"ER\.bind\(|INGRESS\.bind\(", path.read_text())
    ]

    assert binders == ["app.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_turns_its_annotations_into_strings(package: str) -> None:
    # Serve reads the builder's annotation, pydantic and FastAPI read those of models and routes
    for path in modules(package):
        assert "__future__" not in list(imports(path)), path.name


def test_nothing_but_the_deployments_and_commands_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in modules(package)
        if "os.environ" in path.read_text(encoding="utf-8")
    }

    assert readers <= {
        "deployments/cli.py",
        "deployments/client/faceserve_client/settings.py",
        "deployments/commands/up.py",
        "deployments/ingress.py",
        "deployments/searcher.py",
        "store/embedded/postmaster_user.py",  # hands it on to PostgreSQL, without what would lead it elsewhere
        "encoders/runtimes/sessions.py",  # tells ONNX Runtime, before it is loaded, not to phone home
    }


@pytest.mark.parametrize("package", LEAVES)
def test_importing_a_leaf_is_cheap(package: str) -> None:
    code = f"import sys, {package}; print(sorted({{'ray', 'onnxruntime', 'cv2', 'insightface'}} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("folder", [*PACKAGES, "locustfiles", "tests"])
def test_every_room_has_a_readme(folder: str) -> None:
    # those of tests mirror the product, and the client is one distribution with one README
    rooms = {ROOT / folder} if folder == "tests" else {path.parent for path in modules(folder)}
    for room in rooms:
        if "client" not in room.relative_to(ROOT).parts:
            assert (room / "README.md").is_file(), room.relative_to(ROOT)
