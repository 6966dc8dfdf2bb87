"""Why a figure is not known. Unknown is never zero: a slot without a value says which of these it is."""

from enum import IntEnum


class Reason(IntEnum):
    """At most sixteen, for a reason is stored in half a byte. The numbers are in the database: new ones go to the end."""

    OK = 0
    YOUNG = 1
    GAP = 2
    STALE = 3
    NO_BARS = 4
    NO_SNAPSHOT = 5
    NO_HOLDERS = 6
    NO_WALLETS = 7
    NO_FLOW = 8
    NO_SOURCE = 9
    NO_TRADES = 10
    NO_POOLS = 11
    FLAT = 12
    FEW_TOKENS = 13
    OUT_OF_RANGE = 14


WORDS = {
    Reason.OK: "known",
    Reason.YOUNG: "the token is younger than the time it takes",
    Reason.GAP: "we did not look for a part of that time",
    Reason.STALE: "the newest bar is too old",
    Reason.NO_BARS: "no bar in the window",
    Reason.NO_SNAPSHOT: "no snapshot lately",
    Reason.NO_HOLDERS: "nobody told how many hold it",
    Reason.NO_WALLETS: "nobody told how many wallets traded",
    Reason.NO_FLOW: "nobody told what was bought and what was sold",
    Reason.NO_SOURCE: "no source gives it",
    Reason.NO_TRADES: "nothing was traded",
    Reason.NO_POOLS: "no pool was seen lately",
    Reason.FLAT: "nothing moved, or there is nothing to compare with",
    Reason.FEW_TOKENS: "too few tokens to speak of a market",
    Reason.OUT_OF_RANGE: "beyond what a number of four bytes holds",
}
