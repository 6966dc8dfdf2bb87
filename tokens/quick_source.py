"""A Python function in the making: its lines, and the objects that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from keyword import iskeyword
from typing import Any


class Source:
    """Written line by line. Whatever is not a name is given to the function as an object: nothing of it is ever read as Python."""

    def __init__(self, *parameters: str) -> None:
        self._lines = [f"def written_once({', '.join(parameters)}):"]
        self._depth = 1
        self._text = ""  # not written yet: what follows may be text too
        self._given: dict[str, Any] = {}
        self._names = 0

    @staticmethod
    def is_name(word: str) -> bool:
        return word.isidentifier() and not iskeyword(word) and not word.startswith("_")

    def new(self) -> str:
        """A name that nothing has yet."""
        self._names += 1
        return f"_{self._names}"

    def given(self, thing: Any) -> str:
        """The name under which the function finds this thing."""
        name = self.new()
        self._given[name] = thing
        return name

    def text(self, text: str) -> None:
        self._text += text

    def line(self, line: str) -> None:
        self._write_text()
        self._lines.append("    " * self._depth + line)

    @contextmanager
    def inside(self, head: str) -> Iterator[None]:
        """What is written now stands under this head."""
        self.line(f"{head}:")
        before = len(self._lines)
        self._depth += 1
        yield
        self._write_text()
        if len(self._lines) == before:
            self.line("pass")
        self._depth -= 1

    def _write_text(self) -> None:
        if text := self._text:
            self._text = ""
            self.line(f"say({self.given(text)})")

    def function(self, known: Mapping[str, Any]) -> Callable[..., Any]:
        self._write_text()
        self.line("return")
        names = {**known, **self._given}
        exec(compile("\n".join(self._lines), "<drawn quickly>", "exec"), names)  # noqa: S102 - our own lines
        return names["written_once"]  # type: ignore[no-any-return]
