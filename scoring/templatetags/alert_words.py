"""Words for the pages of alerts."""

from __future__ import annotations

from django import template
from django.utils.html import format_html

from tokens.templatetags import figures

register = template.Library()

STATES = {
    "waiting": ("ttm-warning", "waiting"),
    "sending": ("ttm-warning", "being sent"),
    "sent": ("ttm-good", "sent"),
    "gave_up": ("ttm-bad", "given up"),
    "held": ("ttm-old", "held back"),
}


@register.filter
def state_badge(state: str) -> str:
    """The state of a delivery in its colour."""
    return format_html('<span class="{}">{}</span>', *STATES.get(state, ("", state)))


@register.filter
def hours(number: float) -> str:
    """2.5 → 2 h 30 m."""
    return figures.span(number * 3600)
