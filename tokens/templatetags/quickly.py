"""{% quickly %} … {% endquickly %}: the same nodes, drawn without the engine's work per value. For rows, of which a page has hundreds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import cast

from django import template
from django.template import Context, NodeList
from django.template.base import Parser, Token
from django.template.engine import Engine
from django.utils.safestring import mark_safe

from tokens.one_language import one_language
from tokens.quick_nodes import Draw, Scope, drawn_by, refuse_places

register = template.Library()


class QuicklyNode(template.Node):
    """Drawn by the engine where `by_the_engine` is in the context: the plain way, with which this one is compared."""

    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist
        self.draw: Draw | None = None

    def render(self, context: Context) -> str:
        if context.get("by_the_engine") or not context.autoescape:
            return cast(str, self.nodelist.render(context))
        if self.draw is None:
            self.draw = drawn_by(self.nodelist, Engine.get_default())
        with context.push(), one_language():
            return mark_safe(self.draw(Scope(context)))  # noqa: S308 - escaped value by value, as the engine does it


def _coming(parser: Parser) -> Iterator[str]:
    """What the template says from here on; the parser keeps its tokens in reverse."""
    tokens: list[Token] = parser.tokens  # type: ignore[assignment]
    return (token.contents for token in reversed(tokens))


@register.tag
def quickly(parser: Parser, token: Token) -> QuicklyNode:
    refuse_places(" ".join(f"{{%{contents}" for contents in takewhile(lambda contents: contents != "endquickly", _coming(parser))))
    nodelist = parser.parse(("endquickly",))
    parser.delete_first_token()
    return QuicklyNode(nodelist)
