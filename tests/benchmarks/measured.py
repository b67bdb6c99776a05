"""Writes measured tables into the READMEs that quote them."""

from pathlib import Path


def write_block(readme: Path, name: str, markdown: str) -> None:
    """Put a table between `<!-- measured: NAME -->` and `<!-- end: NAME -->` of a README, in place of what is there.

    Raises:
        ValueError: the README has no such block, or more than one
    """
    begin, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    text = readme.read_text()
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(end) < text.index(begin):
        raise ValueError(f"{readme} needs one line {begin!r} before one line {end!r}")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{begin}\n{markdown.strip()}\n{end}{after}")
