"""Why a status changed, in the language of the reader: the table keeps the sentence in English, and the numbers that it was made of.

What a person wrote is theirs and stays as it was written; so does a change whose numbers are not all there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext, pgettext

from tokens import cells, status_rule

Numbers = Mapping[str, Any]
UNIT = re.compile(r"[a-z]+")
# Said by the programs in always the same words: why a token is here, and why new tokens were not heard.
KNOWN = frozenset(
    (
        gettext_noop("put on the watch-list of exchange symbols"),
        gettext_noop("migrated to an exchange that the event does not name"),
        gettext_noop("the listener is starting for the first time"),
        gettext_noop("the listener was not running"),
        gettext_noop("the listener was stopped"),
        gettext_noop("another listener has taken over"),
        gettext_noop("the listener has failed"),
    )
)


def retold(change: Any) -> str:
    """`change` is a row of the status changes. In English this is what the row itself says."""
    tell = TELLINGS.get(change.actor)
    if tell is None or not isinstance(change.evidence, Mapping):
        return in_words(change.reason)
    try:
        return tell(change.evidence) or str(change.reason)
    except (KeyError, TypeError, ValueError):  # numbers of another version, or none: the row's own words are left
        return str(change.reason)


def in_words(said: str) -> str:
    """A sentence of ours in the reader's language; anybody else's as it stands."""
    return _(said) if said in KNOWN else said


def _found(evidence: Numbers) -> str:
    if not evidence["pool"]:
        return _("migrated to an exchange that the event does not name")
    return _("migrated to %(exchange)s") % {"exchange": evidence["pool"]}


def _activated(evidence: Numbers) -> str:
    liquidity, transactions, limits = evidence["liquidity"], evidence["tx_count_5m"], evidence["thresholds"]
    met = []
    if liquidity is not None and liquidity >= limits["min_active_liquidity"]:
        least = f"{limits['min_active_liquidity']:,.0f}"
        met.append(_("liquidity $%(liquidity)s ≥ $%(least)s") % {"liquidity": f"{liquidity:,.0f}", "least": least})
    if transactions is not None and transactions >= limits["enter_tx_count"]:
        said = _("tx_count_5m %(transactions)s ≥ %(least)s")
        met.append(said % {"transactions": f"{transactions:.0f}", "least": f"{limits['enter_tx_count']:g}"})
    pools = int(evidence["pools"])
    return (
        ngettext("%(met)s, %(pools)s pool", "%(met)s, %(pools)s pools", pools) % {"met": cells.listed(met), "pools": pools} if met else ""
    )


def _degraded(evidence: Numbers) -> str:
    transactions, score, limits = evidence["tx_count_5m"], evidence["score"], evidence["thresholds"]
    low = []
    if transactions is not None and transactions < limits["min_tx_count"]:
        said = _("tx_count_5m %(transactions)s < %(least)s")
        low.append(said % {"transactions": f"{transactions:.0f}", "least": f"{limits['min_tx_count']:g}"})
    if score is not None and score < limits["min_score_keep_active"]:
        low.append(_("score %(score)s < %(least)s") % {"score": f"{score:.3f}", "least": f"{limits['min_score_keep_active']:g}"})
    checks = int(evidence["low_checks"])
    said = ngettext("%(low)s on %(checks)s check in %(time)s", "%(low)s on %(checks)s checks in %(time)s", checks)
    return said % {"low": cells.listed(low), "checks": checks, "time": _duration(evidence["low_for_sec"])} if low else ""


def _timed_out(evidence: Numbers) -> str:
    limit, observed = evidence["thresholds"]["initial_timeout_sec"], evidence["observed_sec"]
    said = _("not activated within %(limit)s of observed time (%(observed)s observed)")
    return said % {"limit": _duration(limit), "observed": _duration(observed)}


def _duration(seconds: float) -> str:
    units = {"h": pgettext("unit of time", "h"), "min": pgettext("unit of time", "min"), "s": pgettext("unit of time", "s")}
    return UNIT.sub(lambda unit: units[unit[0]], status_rule.duration(seconds))


TELLINGS = {"listener": _found, "rule:activate": _activated, "rule:degrade": _degraded, "rule:timeout": _timed_out}
