"""Frames that must not be believed, between frames that must: what is stored is what was true, and nothing else."""

import json

from ingestion.pumpportal import QUOTE_MINTS
from ingestion.tests.mints import mint, signature
from ingestion.tests.misbehaving_websocket import TEXT, frame
from tothemoon.tests.soak.adversary import feed_losses
from tothemoon.tests.soak.adversary.catalogue import scenario
from tothemoon.tests.soak.adversary.stage import Setting, Stage

LANE = "frames"
NEXT_SEC = 5.0  # the next good event is stored by then

CONTROL_FRAMES = [
    '{"message":"You may not do that"}', "[]", '"x"', "42", "null", "true", "", "   ", "<html><body>502 Bad Gateway</body></html>",
    '{"errors":["a","b"]}', '{"message":null}', '{"errors":{"deep":[1]}}', "{}", "[[]]", "0",
]  # fmt: skip
KINDS = ['"unknown"', "null", "7", '["migrate"]', '{"a":1}', "true", '""', '"MIGRATE"']
BROKEN = [
    b"{", b'{"txType":"migrate",', b'{"txType":"migrate","mint":"x",}', b'{"txType":"migrate","txType":"create"}', b"[" * 200_000,
    '{"txType":"migrate"}'.encode("utf-16"), b"\x1f\x8b\x08\x00garbage", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1e400}',
    b'{"a":' + b"9" * 5000 + b"}", b'{"a":"\\ud800"} trailing', b"'single'", b'{"a":01}', b"\xef\xbb\xbf{}", b"}{",
]  # fmt: skip
NO_MINTS = [
    None, 7, True, [], {}, "", "   ", "0OIl" * 9, "0x" + "ab" * 20, "1" * 31, "z" * 45, "A" * 10_000, "Ａ" * 43, "A" * 42 + "\u0000",
    " " + "A" * 43, "null", "../../etc/passwd", "'; DROP TABLE tokens; --", "1" * 32 + "A",
]  # fmt: skip
EVIL_TEXTS = [
    "<script>alert(1)</script>", '" onmouseover="x', "javascript:alert(1)", "'; DROP TABLE tokens; --", "{{7*7}}", "{% debug %}", "a\r\nb",
    "\x1b[31mred", "\u202egnp.exe", "\u200b\u200d", "e" + "\u0301" * 1000, "=cmd|' /C calc'!A0", "../../x", "nul\x00here", "\ud800",
    "\ufeffbom", "🚀" * 300, "y" * 30_000, "\x7f\x85\x9f",
]  # fmt: skip
ODD_NUMBERS = ["-0", "-5", "1e308", "0", '"1.5"', '"1,5"', "true", '{"n":1}', "null", "0.000000001"]


def begin(stage: Stage) -> None:
    feed_losses.begin(stage)


SETTING = Setting(begin, feed_losses.finish, {"PUMPPORTAL_STALL_SEC": "60"})


def among_good_ones(stage: Stage, frames: list[str | bytes]) -> None:
    """Each of these between two good events; all good ones are stored, on the same connection."""
    lines = len(stage.feed.lines)
    for raw in frames:
        stage.feed.tell(raw)
        stage.feed.migrate(1)
    stage.all_stored(NEXT_SEC)
    stage.expect(len(stage.feed.lines) == lines, "I6", "a frame has cost the connection")


def counted(stage: Stage, name: str, by: int, before: int) -> None:
    """The listener's own count has grown by so much."""
    stage.within(10, lambda: int(stage.listener_says().get(name, 0)) == before + by, "I10", f"{name} counted")
    now = int(stage.listener_says().get(name, 0))
    stage.expect(now == before + by, "I10", f"{name}: {now - before} counted, {by} sent")


def count_now(stage: Stage, name: str) -> int:
    """What the listener has counted, when its heartbeat has caught up with what it was sent."""
    stage.feed.heard(stage.feed.current)
    frames = int(stage.listener_says().get("frames", 0))
    stage.comes(lambda: int(stage.listener_says().get("frames", 0)) > frames, 10)
    return int(stage.listener_says().get(name, 0))


@scenario(LANE, "W19", promise="One row and one history each; the counter of duplicates says exactly how many came twice.")
def duplicates(stage: Stage) -> None:
    feed, before = stage.feed, count_now(stage, "duplicates")
    numbers = feed.migrate(100)
    for number in feed.chance.sample(numbers, 5):
        feed.tell(feed.event(number), about=[mint(number)])
    feed.tell(*[feed.event(numbers[0])] * 1000, about=[mint(numbers[0])])
    feed_losses.lose(stage, "closed", lambda peer: peer.close())
    feed.tell(*(feed.event(number) for number in numbers), about=[mint(number) for number in numbers])
    stage.all_stored()
    counted(stage, "duplicates", 5 + 1000 + 100, before)


@scenario(
    LANE,
    "W20",
    "W21",
    promise="No quote mint becomes a token; of a mint told twice the first stands, the other is counted; three mints are three.",
)
def same_mint_again(stage: Stage) -> None:
    feed, before = stage.feed, count_now(stage, "conflicting")
    for address in sorted(QUOTE_MINTS):
        feed.tell(json.dumps({"signature": signature(1), "mint": address, "txType": "migrate", "pool": "pump-amm"}))
    numbers = feed.migrate(10)
    for number in numbers:
        feed.tell(feed.event(number, signature=signature(number + 500_000), pool="raydium-cpmm"), about=[mint(number)])
    shared = [feed.fresh() for _ in range(3)]
    feed.tell(
        *(feed.event(number, bondingCurveKey="same", signature=signature(shared[0])) for number in shared), about=[mint(n) for n in shared]
    )
    stage.all_stored()
    counted(stage, "conflicting", 10, before)


@scenario(LANE, "W22", promise="The tables are the same as after the same events in order, mint for mint.")
def out_of_order(stage: Stage) -> None:
    feed = stage.feed
    numbers = [feed.fresh() for _ in range(120)]
    later = [
        json.dumps({"txType": kind, "mint": mint(n), "signature": signature(n), "pool": "pump"})
        for n in numbers
        for kind in ("buy", "create")
    ]
    window = [(feed.event(number), mint(number)) for number in numbers]
    mixed = window[50:100][::-1] + feed.chance.sample(window[:50] + window[100:], 70)
    for event, address in mixed:
        feed.tell(event, about=[address])
        feed.tell(feed.chance.choice(later))
    feed.tell(*later)
    stage.all_stored()
    listed = ",".join(f"'{address}'" for _, address in window)
    rows = stage.tables.rows(
        f"SELECT address, migrated_signature, first_pool_label, status, symbol FROM tokens WHERE address IN ({listed})"
    )
    in_order = {(mint(n), signature(n), "pump-amm", "Initial", "") for n in numbers}
    stage.expect(set(rows) == in_order, "I12", "another result than in order")


@scenario(LANE, "W23", "W24", promise="Counted as unclassified or passed over; the next event is stored, the connection stays.")
def frames_of_no_kind(stage: Stage) -> None:
    more = {f"field{n}": [n] for n in range(50)}
    kinds = [f'{{"txType":{kind},"mint":"{mint(5)}"}}' for kind in KINDS]
    before = count_now(stage, "unclassified")
    among_good_ones(stage, [*kinds, json.dumps({"mint": mint(5), **more}), *CONTROL_FRAMES])
    stage.within(10, lambda: int(stage.listener_says()["unclassified"]) >= before + len(kinds), "I10", "unclassified counted")


@scenario(LANE, "W26", promise="No row; each is in quarantine with its first 2 KB; the events between them are stored.")
def mints_that_are_none(stage: Stage) -> None:
    before = count_now(stage, "quarantined")
    among_good_ones(stage, [json.dumps({"txType": "migrate", "mint": value, "signature": "s", "pool": "p"}) for value in NO_MINTS])
    counted(stage, "quarantined", len(NO_MINTS), before)
    longest = stage.tables.number("SELECT max(length(payload)) FROM quarantined_frames")
    stage.expect(longest <= 20_480, "I8", f"a quarantined frame of {longest} characters")


@scenario(
    LANE,
    "W25",
    "W27",
    "W28",
    promise="Optional fields of another kind are blank; text loses what no database holds and is cut; the token is stored.",
)
def values_of_another_kind(stage: Stage) -> None:
    feed = stage.feed
    for wrong in (None, 7, 1.5, True, [], {"a": 1}):
        number = feed.fresh()
        feed.expected[mint(number)] = ("", "")
        feed.tell(feed.event(number, signature=wrong, pool=wrong, name=wrong, symbol=wrong, uri=wrong), about=[mint(number)])
    for text in EVIL_TEXTS:
        number = feed.fresh()
        kept = "".join(letter for letter in text if not (ord(letter) < 32 or 127 <= ord(letter) < 160 or 0xD800 <= ord(letter) < 0xE000))
        feed.expected[mint(number)] = (kept[:128], kept[:40])
        feed.tell(feed.event(number, signature=text, pool=text, name=text, symbol=text, uri=text), about=[mint(number)])
    for digits in ODD_NUMBERS:
        number = feed.fresh()
        feed.tell(feed.event(number)[:-1] + f', "solAmount": {digits}, "marketCapSol": {digits}}}', about=[mint(number)])
    stage.all_stored()


@scenario(LANE, "W29", "W28", promise="Quarantined or counted, no exception escapes, the next event is stored.")
def broken_json(stage: Stage) -> None:
    before = count_now(stage, "quarantined")
    among_good_ones(stage, list(BROKEN))
    counted(stage, "quarantined", len(BROKEN), before)


@scenario(LANE, "W31", promise="Refused or counted, and the events around it are stored: text that is not UTF-8 cannot stop the feed.")
def not_utf8(stage: Stage) -> None:
    assert stage.feed.current.peer is not None
    for raw in (b"\xff\xfe\xfd", b'{"mint":"\xc3\x28"}', b"\xed\xa0\x80"):
        stage.feed.current.peer.raw(frame(TEXT, raw))
        stage.feed.migrate(2)
        stage.all_stored(10.0)


@scenario(LANE, "W35", promise="200 events a second (10 s here, 10 min in the long form): each visible ≤ 1 s after it was written.")
def sustained(stage: Stage) -> None:
    stage.weigh()
    before = stage.heaviest_mb
    for _ in range(40):
        stage.feed.migrate(50)
        stage.feed.current.quiet.wait(0.2)
    stage.all_stored(1.0, "lag at 200 a second")
    stage.weigh()
    stage.expect(stage.heaviest_mb <= before + 64, "I8", f"{stage.heaviest_mb:.0f} MB, {before:.0f} MB before")


@scenario(LANE, "D10", promise="What the database itself refuses costs its own row only; here nothing that is told gets so far.")
def poison_in_a_batch(stage: Stage) -> None:
    feed = stage.feed
    numbers = [feed.fresh() for _ in range(100)]
    poisoned = set(feed.chance.sample(numbers, 10))
    frames = [feed.event(n, pool="nul\x00" * 30, signature="\ud800" * 200) if n in poisoned else feed.event(n) for n in numbers]
    for number in poisoned:
        feed.expected[mint(number)] = ("", ("nul" * 30)[:40])
    feed.tell(*frames, about=[mint(n) for n in numbers])
    stage.all_stored()
