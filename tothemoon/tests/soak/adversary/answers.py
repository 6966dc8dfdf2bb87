"""Answers of DexScreener that are late, broken, refused, mistaken or about somebody else. What is stored is what an honest answer told."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ingestion.tests import misbehaving_http as bad
from ingestion.tests.mints import mint
from ingestion.tests.misbehaving_http import Behaviour, Request
from tothemoon.tests.soak.adversary import invariants
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.services import Misdeed, changed
from tothemoon.tests.soak.adversary.stage import Setting, Stage
from tothemoon.tests.soak.world import pair

LANE = "answers"
DEX = "dexscreener"
TOKENS = 40
TICK_SEC = 1.0
BACK_SEC = 10.0  # the longest rest of the gate is 5 s, and then comes a tick
Change = Callable[[Any], Any]


def give_tokens(stage: Stage, number: int, status: str = "Initial", name: str = "tokens") -> list[str]:
    """Tokens that are there already, each with the beginning of its history, as the listener would have left them."""
    made = [mint(10**12 + stage.seed * 10_000 + len(stage.given) + len(stage.ghosts) + n) for n in range(number)]
    stage.run_in_django("tothemoon.tests.soak.adversary.given", status, *made)
    stage.given.update(made)
    return made


def begin(stage: Stage) -> None:
    give_tokens(stage, TOKENS)
    stage.start("run_scheduler")
    stage.within(60, lambda: fresh(stage, 0.0), "I6", "the first prices")


def finish(stage: Stage) -> None:
    invariants.no_secret_in_arguments(stage)
    code, took = stage.workers["run_scheduler"].stop()
    stage.expect(code == 0 and took < 30, "I1", f"the scheduler ended with {code} after {took:.1f} s")
    invariants.closing(stage)


SETTING = Setting(begin, finish, {"BIRDEYE_API_KEY": ""})


def fresh(stage: Stage, above: float) -> bool:
    """Whether every given token's newest row has a price that was told after the price `above`."""
    newest = stage.tables.rows(
        "SELECT tokens.address, s.price FROM tokens"
        " LEFT JOIN token_snapshots AS s ON s.token_id = tokens.id AND s.ts = tokens.last_snapshot_at"
    )
    return all(price is not None and price > above for address, price in newest if address in stage.given)


def highest_told(stage: Stage) -> float:
    """The newest of the prices, which grow."""
    return stage.services.newest_price


def meets(stage: Stage, misdeeds: Mapping[str, Misdeed], service: str = DEX, seconds: float = 0.0) -> None:
    """Each of the misdeeds is one answer, in an order that the seed draws; then all is well, and every token gets a fresh price."""
    names = stage.chance.sample(sorted(misdeeds), len(misdeeds))
    stage.services.next_up[service].extend(misdeeds[name] for name in names)
    played = stage.comes(lambda: not stage.services.next_up[service], seconds or stage.pace.patience + len(names) * TICK_SEC)
    if not stage.expect(played, "played", f"{len(stage.services.next_up[service])} misdeeds met nobody"):
        stage.services.next_up[service].clear()
    recovers(stage)


def recovers(stage: Stage, line_sec: float = BACK_SEC) -> None:
    """From now on all is honest: every token has a price of that time within the pass line."""
    before = highest_told(stage)
    stage.within(line_sec, lambda: fresh(stage, before), "I6", "every token fresh again")


def always(behaviour: Behaviour) -> Misdeed:
    return lambda request, honest: behaviour


def body(raw: bytes, status: int = 200, **headers: str) -> Misdeed:
    return always(bad.answer(raw, status, {name.replace("_", "-"): value for name, value in headers.items()}))


def mutated(stage: Stage, change: Change) -> Misdeed:
    """A complete answer in which every price is one that must never be stored, and then `change`."""

    def misdeed(request: Request, honest: Any) -> Behaviour:
        def spoil(value: Any) -> Any:
            for each in value if isinstance(value, list) else []:
                each["priceUsd"] = str(stage.services.poison())
            return change(value)

        return bad.answer(json.dumps(changed(honest, spoil)).encode())

    return misdeed


@scenario(LANE, "R03", "R04", promise="At most two tries, then skipped; a bomb is left unopened (≤ 64 MB); fresh prices ≤ 10 s later.")
def broken_off(stage: Stage) -> None:
    stage.weigh()
    before = stage.heaviest_mb
    packed = bad.zipped(b'[{"priceUsd":"1"}]' * 100)
    meets(
        stage,
        {
            "RST in the body": always(bad.reset_in_body),
            "a body too short": always(bad.short_body),
            "chunked, cut": always(bad.cut_chunked),
            "closed under us": always(bad.close_without_answer),
            "gzip cut": always(bad.gzipped(packed[:20])),
            "gzip without its trailer": always(bad.gzipped(packed[:-8])),
            "not gzip at all": always(bad.gzipped(b'[{"priceUsd":"1"}]')),
            "a bomb": always(bad.gzipped(bad.bomb())),
        },
    )
    stage.weigh()
    stage.expect(stage.heaviest_mb <= before + 64, "I8", f"{stage.heaviest_mb:.0f} MB, {before:.0f} MB before")


@scenario(LANE, "R02", promise="Given up at the deadline (1.5 s here, 15 s as shipped), however it drips; the ticks go on.")
def never_ending(stage: Stage) -> None:
    meets(
        stage,
        {
            "no answer": always(bad.silence),
            "headers dripped": always(bad.drip_headers),
            "body dripped": always(bad.drip_body),
            "100 Continue for ever": always(bad.endless_continue),
        },
    )


@scenario(LANE, "R08", "R09", "R15", "S08", promise="Skipped and counted by kind; no row comes of it; scores stay finite.")
def not_an_answer(stage: Stage) -> None:
    digits = b'[{"priceUsd":' + b"9" * 5000 + b"}]"
    meets(
        stage,
        {
            "HTML": body(b"<html>Just a moment...</html>", Content_Type="text/html"),
            "HTML that calls itself JSON": body(b"<html></html>"),
            "empty": body(b""),
            "204": body(b"", 204),
            "null": body(b"null"),
            "{}": body(b"{}"),
            "a word": body(b'"x"'),
            "a BOM": body(b"\xef\xbb\xbf[]"),
            "latin-1": body('[{"x":"é"}]'.encode("latin-1")),
            "UTF-16": body("[]".encode("utf-16")),
            "another type": body(b"[]", Content_Type="image/png"),
            "NaN": body(b'[{"priceUsd":NaN}]'),
            "1e400": body(b'[{"priceUsd":1e400,"x":Infinity}]'),
            "5,000 digits": body(digits),
            "200,000 brackets": body(b"[" * 200_000),
            "success: false": body(b'{"success":false,"message":"no"}'),
            "an error with 200": body(b'{"error":"internal"}'),
            "pairs: a map": body(b'{"pairs":{"a":1}}'),
        },
    )
    malformed = stage.tables.number("SELECT coalesce(sum(malformed), 0) FROM api_usage WHERE service = 'dexscreener'")
    stage.expect(malformed >= 8, "I10", f"only {malformed} malformed answers counted")


@scenario(LANE, "R13", promise="Only who was asked for and only by its own address; who is missing gets no row, not a zero.")
def about_somebody_else(stage: Stage) -> None:
    meets(
        stage,
        {
            "tokens not asked for": mutated(stage, lambda pairs: [pair(mint(1), 1, 1.0), pair(mint(2), 1, 1.0)]),
            "another chain": mutated(stage, lambda pairs: [{**each, "chainId": "ethereum"} for each in pairs]),
            "case changed": mutated(stage, lambda pairs: [_lowered(each) for each in pairs]),
            "a token with itself": mutated(stage, lambda pairs: [{**each, "quoteToken": each["baseToken"]} for each in pairs]),
            "no pool address": mutated(stage, lambda pairs: [{**each, "pairAddress": None} for each in pairs]),
            "a bonding curve": mutated(stage, lambda pairs: [{**each, "dexId": "pumpfun"} for each in pairs]),
            "maps for lists": mutated(stage, lambda pairs: {str(n): each for n, each in enumerate(pairs)}),
            "strings for pairs": mutated(stage, lambda pairs: [json.dumps(each) for each in pairs]),
        },
    )


def _lowered(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "baseToken": {**each["baseToken"], "address": each["baseToken"]["address"].lower()}}


@scenario(
    LANE,
    "R14",
    "R15",
    "R16",
    promise="That figure is unknown, never zero and never now; the row is stored and its score is finite and in bounds.",
)
def figures_that_cannot_be(stage: Stage) -> None:
    wrong = [None, -5, 1e300, "1,234", "NaN", True, [1], {"a": 1}, "-1", "1e5", ""]
    dates = [1_700_000_000_000_000, -1, 0, 9_999_999_999, "yesterday"]

    def with_price(value: Any) -> Change:
        return lambda pairs: [{**each, "priceUsd": value, "liquidity": {"usd": value}, "volume": {"m5": value}} for each in pairs]

    misdeeds = {f"a price of {value!r}": mutated(stage, with_price(value)) for value in wrong}
    misdeeds |= {
        f"opened {value!r}": mutated(
            stage, lambda pairs, value=value: [{**each, "pairCreatedAt": value, "priceUsd": None} for each in pairs]
        )
        for value in dates
    }
    misdeeds["no fields at all"] = mutated(
        stage, lambda pairs: [{name: each[name] for name in ("chainId", "pairAddress")} for each in pairs]
    )
    meets(stage, misdeeds)
    stage.expect(
        stage.tables.number("SELECT count(*) FROM token_snapshots WHERE price = 0 OR liquidity = 0") == 0, "I9", "unknown became zero"
    )
    outside = stage.tables.number("SELECT count(*) FROM token_scores WHERE score < 0 OR score > 100")
    stage.expect(outside == 0, "I9", f"{outside} scores outside of 0 to 100")


@scenario(LANE, "R19", promise="Not followed: nothing arrives where it points to.")
def answers_redirected(stage: Stage) -> None:
    with bad.MisbehavingServer([bad.answer(b"[]")]) as sink:
        meets(
            stage,
            {
                "to another host": body(b"", 302, Location=f"{sink.url}/elsewhere"),
                "to itself": body(b"", 307, Location="/tokens/v1/solana/loop"),
                "for good": body(b"", 308, Location=f"{sink.url}/for-good"),
                "relative": body(b"", 301, Location="//evil.example/"),
            },
        )
        stage.expect(sink.connections == 0, "I11", f"{sink.connections} connections to where a redirect pointed")
    looped = [request for request in stage.services.asked(DEX) if request.path.endswith("/loop")]
    stage.expect(not looped, "I7", "a redirect to itself was followed")


@scenario(LANE, "R20", "R25", promise="Skipped; the process, its memory and its other answers do not notice.")
def heads_gone_mad(stage: Stage) -> None:
    meets(
        stage,
        {
            "a line of 70 KB": always(bad.long_header),
            "300 headers": always(bad.many_headers),
            "no status line": always(bad.bad_status_line),
            "cookies": always(bad.cookie_flood),
            "early hints": always(bad.early_hints),
            "5 MB and more": body(b"[" + b" " * 5_000_001 + b"]"),
            "3,001 pairs": body(json.dumps([pair(mint(1), 1, 1.0)] * 3001).encode()),
        },
    )
