"""Numbers as SVG wants them, whatever the language of the page."""

from django import template

from scoring.revisions import written

register = template.Library()
register.filter("written", written)


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


@register.filter
def per_cent(value: float) -> str:
    """A share as “31.2 %”."""
    return f"{100 * value:.1f} %".replace("-", "−")


@register.filter
def whole_per_cent(value: float) -> str:
    return f"{100 * value:.0f} %"


@register.filter
def points(value: float) -> str:
    """A difference of shares as “+3.1”."""
    return f"{100 * value:+.1f}".replace("-", "−")


@register.filter
def earlier(minutes: float) -> str:
    """“4.5 min earlier”, “2.0 min later”, “at the same time”."""
    return f"{abs(minutes):.1f} min {'earlier' if minutes > 0 else 'later'}" if minutes else "at the same time"


@register.filter
def minus(value: float) -> str:
    """A plain number with one decimal and a sign that is as wide as a plus."""
    return f"{value:+.1f}".replace("-", "−")
