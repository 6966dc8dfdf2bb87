"""An operator who knows nothing but OPERATING.md: what he types is read from the paper, block by block."""

import re
from collections.abc import Iterator

from tothemoon.tests.soak.bare_machine import BareMachine
from tothemoon.tests.soak.victims import ROOT

PAPER = ROOT / "tothemoon" / "deploy" / "OPERATING.md"
NAME = "moon.test"
REPOSITORY = "/srv/tothemoon.git"
PASSWORD = "a-long-way-to-the-moon"
CONVERSATION = (("Username", "operator"), ("Email", "operator@moon.test"), ("Password: ", PASSWORD), ("Password (again)", PASSWORD))


def blocks(heading: str, paper: str) -> list[str]:
    """The shell blocks under a heading of the paper, as they are to be typed."""
    _, found, after = paper.partition(f"\n## {heading}\n")
    section = after.split("\n## ")[0] if found else ""
    return [_outdented(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```$", section, re.DOTALL | re.MULTILINE)]


def _outdented(block: str) -> str:
    margin = min(len(line) - len(line.lstrip()) for line in block.splitlines() if line.strip())
    return "\n".join(line[margin:] for line in block.splitlines())


def meant(block: str, **names: str) -> str:
    """The block with the operator's own names in the places that the paper leaves to him."""
    for there, here in {"YOUR_NAME": NAME, "YOUR_REPOSITORY": REPOSITORY, **names}.items():
        block = block.replace(there, here)
    return block


class Operator:
    def __init__(self, machine: BareMachine) -> None:
        self.machine = machine
        self._paper = PAPER.read_text()

    def does(self, heading: str, only: str = "", given: str = "", **names: str) -> str:
        """Types what stands under a heading, or the one block that holds `only`; says what was to be read."""
        chosen = [block for block in blocks(heading, self._paper) if only in block]
        if not chosen:
            raise AssertionError(f"OPERATING.md has nothing to type under “{heading}” with “{only}”")
        return "".join(self.machine.run(meant(block, **names), given=given).stdout for block in chosen)

    def installs(self, before_the_start: str, key: str, release: str = "HEAD") -> Iterator[str]:
        """From an empty server to a running system, line by line; says after each block what it began with.
        `before_the_start`: what the trial changes in the settings, because it has no Internet."""
        for block in blocks("From an empty server", self._paper):
            typed = meant(block).rstrip("\n")
            if "systemctl enable --now tothemoon-listener" in typed:
                self.machine.run(before_the_start)
            lines, _, last = typed.rpartition("\n")
            if "createsuperuser" in last:
                self.machine.run(lines.replace("install.sh", f"install.sh {release}"))
                self.machine.converse(last, CONVERSATION)
            else:
                self.machine.run(typed, given=f"{key}\n")
            yield typed.splitlines()[0]
