"""What the papers must say: every setting and command stands in README.md, every setting in .env.example, and nothing that is gone."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent.parent
STARTER = {"test", "check", "soak", "screenshots", "live", "mutants", "fuzz", "coverage"}  # what ./run knows beyond manage.py
READERS = re.compile(r'env\.(?:text|words|flag|number|whole|choice|address|folder|database|cache)\(\s*"([A-Z][A-Z0-9_]+)"')


def settings_read() -> set[str]:
    """The environment variables that settings.py asks for."""
    return set(READERS.findall((HERE / "tothemoon/settings.py").read_text()))


def commands() -> set[str]:
    """Our own management commands, by the files that hold them."""
    return {path.stem for path in HERE.glob("*/management/commands/*.py") if path.stem != "__init__"}


def table(heading: str) -> set[str]:
    """The first column's `names` of the table under a heading of README.md."""
    text = (HERE / "README.md").read_text()
    _, found, after = text.partition(f"\n## {heading}\n")
    section = after.split("\n## ")[0] if found else ""
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(?:\./run )?([A-Za-z_]+)", cell)}


def example() -> set[str]:
    return set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (HERE / ".env.example").read_text(), re.MULTILINE))


def _differences(there: set[str], written: set[str], paper: str, kind: str) -> Iterator[str]:
    yield from (f"{paper} does not mention the {kind} {name}" for name in sorted(there - written))
    yield from (f"{paper} mentions the {kind} {name}, which does not exist" for name in sorted(written - there))


def gaps() -> Iterator[str]:
    yield from _differences(settings_read(), table("Settings"), "README.md", "setting")
    yield from _differences(settings_read(), example(), ".env.example", "setting")
    yield from _differences(commands() | STARTER, table("Commands"), "README.md", "command")


def links(paper: Path) -> Iterator[str]:
    """Where a paper points inside the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", paper.read_text()):
        if "://" not in target and not target.startswith("#"):
            yield target.split("#")[0]


def in_a_fresh_clone(path: Path) -> bool:
    """Whether somebody who has just cloned the repository finds this file or folder; what git does not know he does not have."""
    if not (HERE / ".git").exists():
        return path.exists()
    name = path.resolve().relative_to(HERE)
    return bool(subprocess.run(["git", "ls-files", str(name)], cwd=HERE, capture_output=True, check=True).stdout)


def broken_links(paper: Path) -> list[str]:
    return [target for target in links(paper) if not in_a_fresh_clone(paper.parent / target)]


def missing_files(paper: Path) -> list[str]:
    """Files of ours that a paper names; NAME stands for one that its reader makes."""
    named = set(re.findall(r"`((?:tothemoon|scoring|ingestion|tokens|templates)/[\w./-]+)`", paper.read_text()))
    return sorted(name for name in named if "NAME" not in name and not in_a_fresh_clone(HERE / name))
