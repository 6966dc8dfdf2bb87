"""What the tables and programs call by one English word, as a reader calls it."""

from __future__ import annotations

from django import template

from tokens.one_language import pgettext

register = template.Library()


@register.filter
def list_name(status: object) -> str:
    """All the tokens of a status, as the name of a list."""
    names = {
        "Active": pgettext("list of tokens", "Active"),
        "Initial": pgettext("list of tokens", "Initial"),
        "Archived": pgettext("list of tokens", "Archived"),
    }
    return names.get(str(status), str(status))


@register.filter
def status_name(status: object) -> str:
    """What one token is."""
    names = {
        "Active": pgettext("status of a token", "Active"),
        "Initial": pgettext("status of a token", "Initial"),
        "Archived": pgettext("status of a token", "Archived"),
    }
    return names.get(str(status), str(status))


@register.filter
def status_for(status: object) -> str:
    """What one token has been for so long; the length of time follows."""
    names = {
        "Active": pgettext("status of a token", "Active for"),
        "Initial": pgettext("status of a token", "Initial for"),
        "Archived": pgettext("status of a token", "Archived for"),
    }
    return names.get(str(status), str(status))


@register.filter
def state_name(state: object) -> str:
    """How a metric stands in its score."""
    names = {
        "ok": pgettext("state of a metric", "ok"),
        "estimated": pgettext("state of a metric", "estimated"),
        "no_activity": pgettext("state of a metric", "no activity"),
        "no_history": pgettext("state of a metric", "no history"),
        "stale": pgettext("state of a metric", "stale"),
        "capped": pgettext("state of a metric", "capped"),
        "error": pgettext("state of a metric", "error"),
        "not_scored": pgettext("state of a metric", "not scored"),
    }
    return names.get(str(state), str(state).replace("_", " "))


@register.filter
def feed_name(state: object) -> str:
    """How the feed of new tokens is."""
    names = {
        "ok": pgettext("state of the feed", "feed ok"),
        "late": pgettext("state of the feed", "feed late"),
        "silent": pgettext("state of the feed", "feed silent"),
        "off": pgettext("state of the feed", "feed off"),
    }
    return names.get(str(state), str(state))


@register.filter
def actor_name(actor: object) -> str:
    """Who changed a status: the rule, the listener, or a person by name."""
    names = {
        "rule:activate": pgettext("who changed a status", "by the rule"),
        "rule:degrade": pgettext("who changed a status", "by the rule"),
        "rule:timeout": pgettext("who changed a status", "by the rule"),
        "listener": pgettext("who changed a status", "by the listener"),
        "watch-list": pgettext("who changed a status", "by the watch-list"),
    }
    return names.get(str(actor)) or pgettext("who changed a status", "by %(name)s") % {"name": actor}
