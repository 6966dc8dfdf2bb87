"""What is to be translated, and what the catalogues say: read without the gettext tools, which a fresh machine need not have."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation.template import templatize

HERE = Path(__file__).resolve().parents[2]
LANGUAGES = ("uk", "ru")
APPS = ("tokens", "trading", "learning", "scoring", "ingestion", "tothemoon")
# The place of the context and of the text in the call; the plural stands behind the text.
CALLS: dict[str, tuple[int | None, int]] = {
    "_": (None, 0),
    "gettext": (None, 0),
    "gettext_lazy": (None, 0),
    "gettext_noop": (None, 0),
    "ngettext": (None, 0),
}
CALLS |= {"ngettext_lazy": (None, 0), "pgettext": (0, 1), "pgettext_lazy": (0, 1), "npgettext": (0, 1)}
CALL = re.compile(r"(?<!\w)(?:_|gettext|pgettext|ngettext|npgettext)\(")

Key = tuple[str, str]  # context and text


@dataclass
class Entry:
    context: str = ""
    text: str = ""
    plural: str = ""
    said: dict[int, str] = field(default_factory=dict)
    fuzzy: bool = False

    @property
    def key(self) -> Key:
        return self.context, self.text


def catalogue(language: str) -> Path:
    return HERE / "locale" / language / "LC_MESSAGES" / "django.po"


def entries(language: str) -> list[Entry]:
    """Every entry of a .po file, the head (whose text is empty) the first."""
    return [_entry(block) for block in catalogue(language).read_text().split("\n\n") if "msgid" in block]


def _entry(block: str) -> Entry:
    entry = Entry(fuzzy=bool(re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE)))
    for name, place, quoted in re.findall(r'^(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d)\])? ((?:".*"\n?)+)', block, re.MULTILINE):
        text = "".join(ast.literal_eval(line) for line in quoted.splitlines())
        if name == "msgstr":
            entry.said[int(place or 0)] = text
        else:
            setattr(entry, {"msgctxt": "context", "msgid": "text", "msgid_plural": "plural"}[name], text)
    return entry


def texts() -> dict[Key, str]:
    """Everything that templates and programs want translated, and a file that wants it."""
    pages = [path for path in (HERE / "templates").rglob("*.html") if "admin" not in path.parts]
    programs = [path for app in APPS for path in (HERE / app).rglob("*.py") if not {"tests", "migrations"} & set(path.parts)]
    return {key: str(path.relative_to(HERE)) for path in (*pages, *programs) for key in texts_of(path)}


def texts_of(path: Path) -> Iterator[Key]:
    source = path.read_text()
    if path.suffix == ".html":
        for tree in _calls(templatize(source)):
            yield from _in(tree)
    elif "django.utils.translation" in source or "tokens.one_language" in source:
        yield from _in(ast.parse(source))


def _calls(source: str) -> Iterator[ast.AST]:
    """The calls in what Django has made of a template; between them stands nothing that can be parsed."""
    for match in CALL.finditer(source):
        end = match.end()
        while (end := source.find(")", end) + 1) > 0:
            try:
                yield ast.parse(source[match.start() : end], mode="eval")
                break
            except SyntaxError:  # this one stands within the text
                continue


def _in(tree: ast.AST) -> Iterator[Key]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            context, text = (node.args[place] if place is not None else None for place in CALLS[node.func.id])
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield (str(context.value) if isinstance(context, ast.Constant) else ""), text.value


def missing() -> Iterator[str]:
    """What a reader would see in English."""
    wanted = texts()
    for language in LANGUAGES:
        known = {entry.key for entry in entries(language) if all(entry.said.values()) and not entry.fuzzy}
        yield from (f"{language}: {wanted[key]}: {key[1]!r} is not translated" for key in sorted(wanted.keys() - known))
