"""Django's own templates, drawn without the engine's work per value: the nodes of a template become one plain Python function, once.

What is understood becomes a few lines of that function: text, values with filters, if, for, include, url, translate. Whatever is not
(another tag, a filter that asks for the context, a value that is a mapping, a method or missing) is drawn by the engine, node by node, in
the same context. So a template comes out letter for letter as the engine would write it, and text is escaped by the same rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from html import escape
from typing import Any, cast

from django.template import Context, Node, TemplateSyntaxError
from django.template.base import FilterExpression, TextNode, Variable, VariableNode, render_value_in_context
from django.template.defaulttags import CommentNode, ForNode, IfNode, LoadNode, URLNode
from django.template.engine import Engine
from django.template.loader_tags import IncludeNode
from django.templatetags.i18n import TranslateNode
from django.urls import get_script_prefix, reverse
from django.utils.html import conditional_escape
from django.utils.translation import get_language

from tokens.quick_source import Source

ASKS_FOR_ITS_PLACE = re.compile(r"{[{%][^}]*\b(?:forloop|cycle|ifchanged)\b")  # loops here keep no count
COMPARED = {"==", "!=", ">", ">=", "<", "<="}


class Unusual(Exception):
    """The engine has to look at this one: a mapping, something to call, or nothing there."""


FOR_THE_ENGINE = (Unusual, KeyError, AttributeError, TypeError, ValueError)


class Scope(dict[str, Any]):
    """The names a template may use, beside the context that the engine uses."""

    def __init__(self, context: Context) -> None:
        super().__init__(_names(context))
        self.context = context
        self.language = get_language()


def _names(context: Context) -> dict[str, Any]:
    return cast(dict[str, Any], context.flatten())


class _Plain(dict[type, bool]):
    """Classes whose attributes are asked for by name and in no other way."""

    def __missing__(self, kind: type) -> bool:
        plain = self[kind] = not hasattr(kind, "__getitem__")
        return plain


SPECIAL = re.compile("[&<>\"']").search


def _written(found: Any, scope: Scope) -> str:
    """A value as the engine writes it. Most are plain text, and most of that has nothing to escape."""
    if type(found) is str:
        return escape(found) if SPECIAL(found) else found
    if type(found) is int:
        return _number(found, scope.language, scope.context.use_l10n)
    return str(render_value_in_context(found, scope.context))


@lru_cache(maxsize=4096)
def _number(value: int, language: str | None, use_l10n: bool | None) -> str:
    """A whole number as this language writes it."""
    return str(render_value_in_context(value, Context(use_l10n=use_l10n)))


@lru_cache(maxsize=4096)
def _reversed(prefix: str, name: str, *arguments: str) -> str:
    """The address under this prefix."""
    return conditional_escape(reverse(name, args=arguments))


Draw = Callable[[Scope], str]
KNOWN = {  # by the written function, beside what each node gives it
    "FOR_THE_ENGINE": FOR_THE_ENGINE,
    "Unusual": Unusual,
    "plain": _Plain(),
    "special": SPECIAL,
    "written": _written,
    "names": _names,
    "prefix": get_script_prefix,
    "address": _reversed,
}


def drawn_by(nodes: Iterable[Node], engine: Engine) -> Draw:
    """One function that draws all these nodes."""
    source = Source("scope", "say")
    for node in nodes:
        _write(node, source, engine)
    draw = source.function(KNOWN)

    def drawn(scope: Scope) -> str:
        said: list[str] = []
        draw(scope, said.append)
        return "".join(said)

    return drawn


def _write(node: Node, source: Source, engine: Engine) -> None:
    if isinstance(node, TextNode):
        source.text(str(node.s))
    elif isinstance(node, VariableNode):
        _variable(node, source)
    elif isinstance(node, IfNode):
        _choice(list(node.conditions_nodelists), source, engine)
    elif isinstance(node, ForNode):
        _loop(node, source, engine)
    elif isinstance(node, IncludeNode):
        _included(node, source, engine)
    elif isinstance(node, URLNode):
        _address(node, source)
    elif isinstance(node, TranslateNode):
        _translated(node, source)
    elif not isinstance(node, LoadNode | CommentNode):
        _by_the_engine(node, source)


def _by_the_engine(node: Node, source: Source) -> None:
    source.line(f"say(str({source.given(node)}.render_annotated(scope.context)))")
    source.line("scope.update(names(scope.context))")  # the tag may have named something


# Values


def _understood(expression: FilterExpression) -> bool:
    """False where a filter wants more than its value and constants, and where a name is none to Python."""
    for function, arguments in expression.filters:
        special = any(getattr(function, name, False) for name in ("expects_localtime", "needs_autoescape", "is_safe"))
        if special or any(is_variable for is_variable, _ in arguments):
            return False
    lookups = expression.var.lookups if isinstance(expression.var, Variable) else None
    return all(Source.is_name(name) for name in lookups or ())


def _value(expression: FilterExpression, source: Source) -> str:
    """The name of what an understood expression stands for; worked out line by line, each of which may fail for the engine."""
    value = _source(expression, source)
    for function, arguments in expression.filters:
        found = source.new()
        words = ", ".join([value, *(source.given(argument) for _, argument in arguments)])
        source.line(f"{found} = {source.given(function)}({words})")
        value = found
    return value


def _source(expression: FilterExpression, source: Source) -> str:
    variable = expression.var
    if not isinstance(variable, Variable):
        return source.given(variable)
    if variable.lookups is None:
        return source.given(variable.resolve(Context()))
    found, (name, *path) = source.new(), variable.lookups
    source.line(f"{found} = scope[{name!r}]")
    for attribute in path:
        source.line(f"if callable({found}) or not plain[type({found})]: raise Unusual")
        source.line(f"{found} = {found}.{attribute}")
    source.line(f"if callable({found}): raise Unusual")
    return found


def _variable(node: VariableNode, source: Source) -> None:
    if not _understood(node.filter_expression):
        return _by_the_engine(node, source)
    with source.inside("try"):
        value = _value(node.filter_expression, source)
    with source.inside("except FOR_THE_ENGINE"):
        source.line(f"say(str({source.given(node)}.render_annotated(scope.context)))")
    with source.inside("else"):
        source.line(f"say({value} if type({value}) is str and not special({value}) else written({value}, scope))")
    return None


# Tags


def _choice(branches: list[tuple[Any, Any]], source: Source, engine: Engine) -> None:
    (test, nodes), *others = branches
    with source.inside("if True" if test is None else f"if {_test(test, source)}"):
        for node in nodes:
            _write(node, source, engine)
    if others:
        with source.inside("else"):
            _choice(others, source, engine)


def _test(token: Any, source: Source) -> str:
    """The name of what a condition comes to; the engine decides where a comparison is not possible."""
    decided = source.new()
    with source.inside("try"):
        source.line(f"{decided} = {_plain_test(token, source)}")
    with source.inside("except FOR_THE_ENGINE"):
        source.line(f"{decided} = {source.given(token)}.eval(scope.context)")
    return decided


def _plain_test(token: Any, source: Source) -> str:
    if token.id == "literal" and _understood(token.value):
        return _value(token.value, source)
    if token.id == "not":
        return f"not {_plain_test(token.first, source)}"
    if token.id in COMPARED:
        return f"({_plain_test(token.first, source)} {token.id} {_plain_test(token.second, source)})"
    if token.id in {"and", "or"}:
        decided = _test(token.first, source)
        with source.inside(f"if {'' if token.id == 'and' else 'not '}{decided}"):
            source.line(f"{decided} = {_test(token.second, source)}")
        return decided
    return f"{source.given(token)}.eval(scope.context)"


def _loop(node: Any, source: Source, engine: Engine) -> None:
    if not _understood(node.sequence) or len(node.loopvars) != 1 or node.is_reversed:
        return _by_the_engine(node, source)
    items, context, is_empty = source.new(), source.new(), source.new()
    with source.inside("try"):
        source.line(f"{items} = {_value(node.sequence, source)}")
    with source.inside("except FOR_THE_ENGINE"):
        source.line(f"{items} = {source.given(node.sequence)}.resolve(scope.context, ignore_failures=True)")
    source.line(f"{context}, {is_empty} = scope.context, True")
    with source.inside(f"with {context}.push()"), source.inside(f"for item in () if {items} is None else {items}"):
        source.line(f"{is_empty} = False")
        source.line(f"scope[{node.loopvars[0]!r}] = {context}[{node.loopvars[0]!r}] = item")
        for inner in node.nodelist_loop:
            _write(inner, source, engine)
    source.line("scope.clear()")
    source.line(f"scope.update(names({context}))")
    with source.inside(f"if {is_empty}"):
        for inner in node.nodelist_empty:
            _write(inner, source, engine)
    return None


def _included(node: IncludeNode, source: Source, engine: Engine) -> None:
    name = node.template.var
    if not isinstance(name, str) or node.template.filters or node.extra_context or node.isolated_context or name.startswith("."):
        return _by_the_engine(node, source)
    template = engine.get_template(name)
    refuse_places(template.source)
    for inner in template.nodelist:
        _write(inner, source, engine)
    return None


def refuse_places(source: str) -> None:
    if found := ASKS_FOR_ITS_PLACE.search(source):
        raise TemplateSyntaxError(f"What is drawn quickly knows nothing of its place in a loop: {found[0]}")


def _address(node: URLNode, source: Source) -> None:
    name = node.view_name.var
    if isinstance(name, Variable) or node.kwargs or node.asvar or not all(map(_understood, node.args)):
        return _by_the_engine(node, source)
    with source.inside("try"):
        values = [_value(argument, source) for argument in node.args]
        source.line("pass")
    with source.inside("except FOR_THE_ENGINE"):
        source.line(f"say(str({source.given(node)}.render_annotated(scope.context)))")
    with source.inside("else"):
        source.line(f"say(address({', '.join(['prefix()', source.given(name), *(f'str({value})' for value in values)])}))")
    return None


def _translated(node: TranslateNode, source: Source) -> None:
    """A sentence of the template itself: translated once for each language."""
    said = node.filter_expression
    if node.asvar or node.message_context or said.filters or not isinstance(said.var, Variable) or said.var.lookups is not None:
        return _by_the_engine(node, source)
    known: dict[str | None, str] = {}
    text, kept = source.new(), source.given(known)
    source.line(f"{text} = {kept}.get(scope.language)")
    with source.inside(f"if {text} is None"):
        source.line(f"{text} = {kept}[scope.language] = {source.given(node)}.render(scope.context)")
    source.line(f"say({text})")
    return None
