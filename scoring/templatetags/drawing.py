"""Numbers as SVG wants them, whatever the language of the page."""

from django import template

register = template.Library()


@register.filter
def unlocalized(value: float) -> str:
    return f"{value:.2f}"


@register.filter
def from_top(height: float) -> str:
    """Where a bar of that height begins, in a drawing 100 high."""
    return f"{100 - height:.2f}"


@register.filter
def plus(value: float, more: float) -> str:
    return f"{value + more:.2f}"
