"""What an operator may do to tokens by hand. Each needs a reason; all go through tokens.lifecycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from tokens import lifecycle
from tokens.models import Status, StatusChange, Token

MOST_AT_ONCE = 200


@dataclass(frozen=True)
class Verb:
    title: str
    done: str
    effect: str
    fits: Callable[[Token], bool]  # is there anything to do for this token
    act: Callable[[Token, str, str, datetime], StatusChange | None]


def _to(status: Status) -> Callable[[Token, str, str, datetime], StatusChange | None]:
    return lambda token, reason, actor, now: lifecycle.change_status(token, status.value, reason, actor, now)


STAYS = "Automatic changes leave it alone until it is released."
VERBS = {
    "activate": Verb(
        "Activate",
        "Activated and held",
        f"Watched at the Active pace and ranked on the public list. {STAYS}",
        lambda token: token.status != Status.ACTIVE,
        _to(Status.ACTIVE),
    ),
    "archive": Verb(
        "Archive",
        "Archived and held",
        f"No longer polled or scored. {STAYS}",
        lambda token: token.status != Status.ARCHIVED,
        _to(Status.ARCHIVED),
    ),
    "initial": Verb(
        "Return to Initial",
        "Returned to Initial and held",
        f"Polled as a new token, not ranked. {STAYS}",
        lambda token: token.status != Status.INITIAL,
        _to(Status.INITIAL),
    ),
    "hold": Verb("Hold", "Held", f"It keeps its present status. {STAYS}", lambda token: not token.held, lifecycle.hold),
    "release": Verb(
        "Release", "Released", "The rule decides again, beginning with an empty memory.", lambda token: token.held, lifecycle.release
    ),
}


class ByHandForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        strip=True,
        help_text="One sentence. It stands in the token's history, with your name.",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "placeholder": "Why? The next person will ask."}),
        error_messages={"required": "Give a reason: the next person will ask for it."},
    )


def carry_out(verb: str, tokens: Sequence[Token], reason: str, actor: str, now: datetime) -> list[Token]:
    """Do it to each token for which there is something to do. Returns those that were changed."""
    wanted = [token for token in tokens if VERBS[verb].fits(token)]
    for token in wanted:
        VERBS[verb].act(token, reason, actor, now)
    return wanted
