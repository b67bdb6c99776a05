"""The `faceserve` command."""


def main() -> None:
    """Run the command line."""
    raise SystemExit("faceserve: not built yet")
