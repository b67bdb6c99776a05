"""Which model pack `faceserve up` serves with, and what it says about that."""

from pathlib import Path

from rich.console import Console

from configs.settings import EncoderSettings
from deployments.commands.packs import pull
from encoders.errors import PackError, PackIncomplete, PackNotFound
from encoders.packs.catalog import OPENCV_PACK
from encoders.packs.directory import find_pack
from encoders.packs.download import why_unreachable
from encoders.packs.opencv import find_or_make


def choose_pack(models_dir: Path, wanted: str | None, console: Console) -> str:
    """Return the pack to serve with: `wanted`, or buffalo_l, pulled if need be, or else `opencv`.

    Says why, and what its licence permits. Raises PackError when the pack that is wanted cannot be used.
    """
    name = _best_pack(models_dir, console) if wanted is None else wanted
    pack = find_or_make(models_dir, name)
    permits = "permits" if pack.commercial_use else "does not permit"
    console.print(
        f"Model pack: {pack.name}. Its licence {permits} commercial use. {pack.licence}", soft_wrap=True, markup=False
    )
    return name


def _best_pack(models_dir: Path, console: Console) -> str:
    best = EncoderSettings().pack
    why_not = _why_unusable(models_dir, best, console)
    if why_not is None:
        return best
    console.print(f"[yellow]{why_not}[/yellow]", soft_wrap=True)
    console.print(
        f"Serving with the pack `{OPENCV_PACK}` instead, which comes with the installation. It recognises people; "
        f"`{best}` is more accurate on hard photos. A collection belongs to the pack that it was made with: with "
        "another pack, its people have to be enrolled again.",
        soft_wrap=True,
    )
    return OPENCV_PACK


def _why_unusable(models_dir: Path, name: str, console: Console) -> str | None:
    """Return why there is no sound pack `name`, not even by a download; None if there is one."""
    try:
        find_pack(models_dir, name)
        return None
    except (PackNotFound, PackIncomplete):
        pass
    except PackError as error:
        return str(error)
    if (reason := why_unreachable(name)) is not None:
        return f"{name} is not in {models_dir}, and cannot be fetched from InsightFace's model zoo: {reason}."
    try:
        pull(models_dir, name, console)
        return None
    except PackError as error:
        return str(error)
