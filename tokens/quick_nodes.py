"""Django's own templates, drawn without the engine's work per value: the nodes of a template become plain functions, once.

What is understood is drawn by these functions: text, values with filters, if, for, include, url, translate. Whatever is not (another tag,
a filter that asks for the context, a value that is a mapping, a method or missing) is drawn by the engine, node by node, in the same
context. So a template comes out letter for letter as the engine would write it, and text is escaped by the same rule.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
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

ASKS_FOR_ITS_PLACE = re.compile(r"{[{%][^}]*\b(?:forloop|cycle|ifchanged)\b")  # loops here keep no count
COMPARED = {
    name: getattr(operator, word) for name, word in (("==", "eq"), ("!=", "ne"), (">", "gt"), (">=", "ge"), ("<", "lt"), ("<=", "le"))
}


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


Draw = Callable[[Scope], str]
Value = Callable[[Scope], Any]


def drawn_by(nodes: Iterable[Node], engine: Engine) -> Draw:
    """One function that draws all these nodes."""
    pieces: list[str | Draw] = []
    for node in nodes:
        piece = _piece(node, engine)
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        elif piece != "":
            pieces.append(piece)
    draws = [_text(piece) if isinstance(piece, str) else piece for piece in pieces]
    return lambda scope: "".join([draw(scope) for draw in draws])


def _piece(node: Node, engine: Engine) -> str | Draw:
    if isinstance(node, TextNode):
        return str(node.s)
    if isinstance(node, LoadNode | CommentNode):
        return ""
    if isinstance(node, VariableNode):
        return _variable(node)
    if isinstance(node, IfNode):
        return _choice(node, engine)
    if isinstance(node, ForNode):
        return _loop(node, engine)
    if isinstance(node, IncludeNode):
        return _included(node, engine)
    if isinstance(node, URLNode):
        return _address(node)
    return _translated(node) if isinstance(node, TranslateNode) else _by_the_engine(node)


def _text(text: str) -> Draw:
    return lambda scope: text


def _by_the_engine(node: Node) -> Draw:
    def draw(scope: Scope) -> str:
        text = str(node.render_annotated(scope.context))
        scope.update(_names(scope.context))  # the tag may have named something
        return text

    return draw


# Values


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


def _value(expression: FilterExpression) -> Value | None:
    """What the expression stands for; None where a filter wants more than its value and constants."""
    get = _source(expression)
    filters = [(function, [argument for _, argument in arguments]) for function, arguments in expression.filters]
    for function, arguments in expression.filters:
        special = any(getattr(function, name, False) for name in ("expects_localtime", "needs_autoescape", "is_safe"))
        if special or any(is_variable for is_variable, _ in arguments):
            return None
    if not filters:
        return get
    if len(filters) == 1 and not filters[0][1]:
        only = filters[0][0]
        return lambda scope: only(get(scope))

    def value(scope: Scope) -> Any:
        found = get(scope)
        for function, arguments in filters:
            found = function(found, *arguments)
        return found

    return value


def _source(expression: FilterExpression) -> Value:
    variable = expression.var
    if not isinstance(variable, Variable):
        return lambda scope: variable
    if variable.lookups is None:
        constant = variable.resolve(Context())
        return lambda scope: constant
    name, *path = variable.lookups
    return _step(_first(name), *path)


def _first(name: str) -> Value:
    def get(scope: Scope) -> Any:
        found = scope[name]
        if callable(found):
            raise Unusual
        return found

    return get


PLAIN: dict[type, bool] = {}  # classes whose attributes are asked for by name and in no other way


def _step(owner_of: Value, *path: str) -> Value:
    """From a value to its attribute, and on to that one's."""
    if not path:
        return owner_of
    name, *rest = path

    def get(scope: Scope) -> Any:
        owner = owner_of(scope)
        kind = type(owner)
        if kind not in PLAIN:
            PLAIN[kind] = not hasattr(kind, "__getitem__")
        if not PLAIN[kind]:
            raise Unusual
        found = getattr(owner, name)
        if callable(found):
            raise Unusual
        return found

    return _step(get, *rest)


def _is_constant(expression: FilterExpression) -> bool:
    return not expression.filters and (not isinstance(expression.var, Variable) or expression.var.lookups is None)


def _variable(node: VariableNode) -> Draw:
    value = _value(node.filter_expression)
    if value is None:
        return _by_the_engine(node)

    def draw(scope: Scope) -> str:
        try:
            found = value(scope)
        except FOR_THE_ENGINE:
            return str(node.render_annotated(scope.context))
        return _written(found, scope)

    return draw


# Tags


def _choice(node: IfNode, engine: Engine) -> Draw:
    branches = [(None if test is None else _test(test), drawn_by(nodes, engine)) for test, nodes in node.conditions_nodelists]

    def draw(scope: Scope) -> str:
        for test, branch in branches:
            if test is None or test(scope):
                return branch(scope)
        return ""

    return draw


def _test(token: Any) -> Value:
    """The condition of an `if`; the engine decides where a comparison is not possible."""
    test = _plain_test(token)

    def decide(scope: Scope) -> Any:
        try:
            return test(scope)
        except FOR_THE_ENGINE:
            return token.eval(scope.context)

    return decide


def _plain_test(token: Any) -> Value:
    if token.id == "literal" and (value := _value(token.value)) is not None:
        return value
    if token.id == "not":
        only = _plain_test(token.first)
        return lambda scope: not only(scope)
    if token.id in COMPARED:
        first, second, compare = _plain_test(token.first), _plain_test(token.second), COMPARED[token.id]
        if token.second.id == "literal" and _is_constant(token.second.value):
            constant = second(Scope(Context()))
            return lambda scope: compare(first(scope), constant)
        return lambda scope: compare(first(scope), second(scope))
    if token.id in {"and", "or"}:
        left, right = _test(token.first), _test(token.second)
        return (lambda scope: left(scope) and right(scope)) if token.id == "and" else (lambda scope: left(scope) or right(scope))
    return lambda scope: token.eval(scope.context)


def _loop(node: Any, engine: Engine) -> Draw:
    items_of = _value(node.sequence)
    if items_of is None or len(node.loopvars) != 1 or node.is_reversed:
        return _by_the_engine(node)
    name, body, otherwise = node.loopvars[0], drawn_by(node.nodelist_loop, engine), drawn_by(node.nodelist_empty, engine)

    def draw(scope: Scope) -> str:
        try:
            items = items_of(scope)
        except FOR_THE_ENGINE:
            items = node.sequence.resolve(scope.context, ignore_failures=True)
        inner: Context = scope.context
        drawn: list[str] = []
        with inner.push():
            for item in () if items is None else items:
                scope[name] = inner[name] = item
                drawn.append(body(scope))
        scope.clear()
        scope.update(_names(inner))
        return "".join(drawn) if drawn else otherwise(scope)

    return draw


def _included(node: IncludeNode, engine: Engine) -> str | Draw:
    name = node.template.var
    if not isinstance(name, str) or node.template.filters or node.extra_context or node.isolated_context or name.startswith("."):
        return _by_the_engine(node)
    template = engine.get_template(name)
    refuse_places(template.source)
    return drawn_by(template.nodelist, engine)


def refuse_places(source: str) -> None:
    if found := ASKS_FOR_ITS_PLACE.search(source):
        raise TemplateSyntaxError(f"What is drawn quickly knows nothing of its place in a loop: {found[0]}")


def _address(node: URLNode) -> Draw:
    name, arguments = node.view_name.var, [_value(argument) for argument in node.args]
    if isinstance(name, Variable) or node.kwargs or node.asvar:
        return _by_the_engine(node)
    values: Sequence[Value] = [argument for argument in arguments if argument is not None]
    if len(values) != len(arguments):
        return _by_the_engine(node)

    def draw(scope: Scope) -> str:
        try:
            found = [value(scope) for value in values]
        except FOR_THE_ENGINE:
            return str(node.render_annotated(scope.context))
        return _reversed(get_script_prefix(), name, *map(str, found))

    return draw


def _translated(node: TranslateNode) -> Draw:
    """A sentence of the template itself: translated once for each language."""
    source = node.filter_expression
    if node.asvar or node.message_context or source.filters or not isinstance(source.var, Variable) or source.var.lookups is not None:
        return _by_the_engine(node)
    known: dict[str | None, str] = {}

    def draw(scope: Scope) -> str:
        text = known.get(scope.language)
        if text is None:
            text = known[scope.language] = node.render(scope.context)
        return text

    return draw
