"""`faceserve bench`: runs a measurement of the checkout, which the installed packages do not carry."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deployments.commands.errors import CommandFailed


def bench(name: str, arguments: Sequence[str]) -> int:
    """Run the module NAME of `tests/benchmarks` with `arguments` and return its exit code. Raises CommandFailed."""
    root = Path(__file__).parents[2]
    folder = root / "tests" / "benchmarks"
    if not folder.is_dir():
        raise CommandFailed("The measurements come with a checkout of the project, not with an installation.")
    known = {path.stem: path for path in folder.rglob("*.py") if 'if __name__ == "__main__"' in path.read_text()}
    if name not in known:
        raise CommandFailed(f"Expected one of {', '.join(sorted(known))}; found {name}.")
    module = ".".join(known[name].relative_to(root).with_suffix("").parts)
    return subprocess.run([sys.executable, "-m", module, *arguments], cwd=root, check=False).returncode
