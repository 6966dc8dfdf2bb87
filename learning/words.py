"""What the evidence calls things, for people: sources, directions, outcomes, why a slot is missing. Lazy, so that each reader reads his own
language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from learning.missing import Reason

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SOURCES: dict[str, _StrPromise] = {"score": _("Score"), "stage2": _("Stage 2"), "model": _("Model")}
DIRECTIONS: dict[str, _StrPromise] = {"up": _("up"), "down": _("down"), "none": _("no direction")}
STATES: dict[str, _StrPromise] = {"priced": _("priced"), "dead": _("dead"), "unknown": _("not looked")}

REASONS: dict[Reason, _StrPromise] = {
    Reason.OK: _("known"),
    Reason.YOUNG: _("the token is younger than the time it takes"),
    Reason.GAP: _("we did not look for a part of that time"),
    Reason.STALE: _("the newest bar is too old"),
    Reason.NO_BARS: _("no bar in the window"),
    Reason.NO_SNAPSHOT: _("no snapshot lately"),
    Reason.NO_HOLDERS: _("nobody told how many hold it"),
    Reason.NO_WALLETS: _("nobody told how many wallets traded"),
    Reason.NO_FLOW: _("nobody told what was bought and what was sold"),
    Reason.NO_SOURCE: _("no source gives it"),
    Reason.NO_TRADES: _("nothing was traded"),
    Reason.NO_POOLS: _("no pool was seen lately"),
    Reason.FLAT: _("nothing moved, and there is nothing to compare with"),
    Reason.FEW_TOKENS: _("too few tokens to speak of a market"),
    Reason.OUT_OF_RANGE: _("beyond what a number of four bytes holds"),
}
