import json
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.errors import Malformed
from ingestion.facts import Migration
from ingestion.one_socket import Lost
from ingestion.pumpportal import QUOTE_MINTS, Kind, Other, Patience, backoff, confirms_migrations, parse
from ingestion.tests.mints import base58, create_frame, migrate_frame, migration, mint

REAL_MIGRATION = (
    '{"signature":"52MoTgakx7Jdup1kTpZncNy99YmHLxTNEoS4FeZE8fQ3SKtHgWhsS9iYhvW5pKPDhMKkGAjvBGkzEqdETWN15inJ",'
    '"mint":"BzqYzBGydDrwjnYVtWfupr8GFoSxpCQdTkjRppBKpump","txType":"migrate","pool":"pump-amm"}'
)
NO_PUMP_SUFFIX = "3FdcpibwaYYdPV9njyUYi71p8fdyS53MwQdjnToQsXGW"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["mint", "txType", "pool", "signature", "x"]), inner),
    max_leaves=12,
)


def test_a_real_migration_is_read():
    assert parse(REAL_MIGRATION) == Migration(
        "BzqYzBGydDrwjnYVtWfupr8GFoSxpCQdTkjRppBKpump",
        "52MoTgakx7Jdup1kTpZncNy99YmHLxTNEoS4FeZE8fQ3SKtHgWhsS9iYhvW5pKPDhMKkGAjvBGkzEqdETWN15inJ",
        "pump-amm",
    )


def test_bytes_are_read_like_text():
    assert parse(REAL_MIGRATION.encode()) == parse(REAL_MIGRATION)


def test_a_mint_need_not_end_in_pump():
    assert parse(json.dumps({"txType": "migrate", "mint": NO_PUMP_SUFFIX})) == Migration(NO_PUMP_SUFFIX, "", "")


@pytest.mark.parametrize("pool", ["raydium", "raydium-cpmm", "bonk", "something-new"])
def test_any_name_of_a_pool_is_taken(pool):
    assert parse(json.dumps({"txType": "migrate", "mint": mint(1), "pool": pool})).pool == pool


def test_fifty_unknown_fields_do_no_harm():
    assert parse(json.dumps({**json.loads(migrate_frame(1)), **{f"field{n}": n for n in range(50)}})) == migration(1)


@pytest.mark.parametrize("quote", sorted(QUOTE_MINTS))
def test_what_tokens_are_traded_against_is_no_discovery(quote):
    assert parse(json.dumps({"txType": "migrate", "mint": quote, "pool": "pump-amm"})) == Other(Kind.QUOTE_MINT)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (create_frame(1), Kind.CREATE),
        ('{"txType":"buy","mint":"x"}', Kind.TRADE),
        ('{"txType":"sell"}', Kind.TRADE),
        ('{"message":"Subscribed to \'migration\' events."}', Kind.MESSAGE),
        ('{"errors":["nope"]}', Kind.ERROR),
        ('{"message":7}', Kind.MESSAGE),
        *[(f'{{"txType":{value}}}', Kind.UNCLASSIFIED) for value in ('"other"', "null", "7", "[1]", "{}", "true", '"Migrate"')],
        *[(value, Kind.UNCLASSIFIED) for value in ("{}", "[]", '"x"', "42", "null", "true", "", "   ", "\r\n")],
    ],
)
def test_frames_that_are_no_migration_are_told_apart(frame, kind):
    assert parse(frame).kind is kind
    assert parse(frame.encode()).kind is kind


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("<html><body>502</body></html>", "not JSON"),
        ('{"txType":"migrate"', "not JSON"),
        ('{"txType":"migrate",}', "not JSON"),
        ('{"txType":"migrate","txType":"create"}', "twice"),
        ("[" * 200_000, "deep"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"\x1f\x8b\x08\x00gzip", "UTF-8"),
        ('{"txType":"migrate"}'.encode("utf-16"), "UTF-8"),
        ('{"a":NaN}', "number"),
        ('{"a":1e400}', "number"),
        ('{"a":%s}' % ("9" * 5000), "number"),
        ('{"txType":"migrate"}', "^a migration without a mint$"),
        ('{"txType":"migrate","mint":null}', "without a mint"),
        ('{"txType":"migrate","mint":"I"}', "^a migration whose mint is no Solana address$"),
        ("x" * 300_000, "bytes"),
    ],
)
def test_what_cannot_be_read_is_malformed_and_says_why(frame, why):
    with pytest.raises(Malformed, match=why):
        parse(frame)


@pytest.mark.parametrize(
    "wrong",
    ["0" * 44, "O" * 43, "I" * 44, "l" * 44, mint(1)[:-2], " " + mint(1), mint(1) + "\n", "а" + mint(1)[1:],
     "0x" + "a" * 40, "A" * 10_240, "", "1" * 31, "1" * 33, "z" * 45, 7, 1.5, True, [mint(1)], {"a": 1}, "\ud800" * 44],
)  # fmt: skip
def test_what_is_no_solana_address_never_becomes_a_token(wrong):
    with pytest.raises(Malformed, match="mint"):
        parse(json.dumps({"txType": "migrate", "mint": wrong}))


@pytest.mark.parametrize("wrong", [None, 7, [], {}, True, 1e300])
def test_a_wrong_signature_or_pool_is_left_blank(wrong):
    assert parse(json.dumps({"txType": "migrate", "mint": mint(1), "signature": wrong, "pool": wrong})) == Migration(mint(1), "", "")


def test_text_is_made_fit_for_both_databases_and_else_left_alone():
    hostile = "\x00a\ud800\x1b[31m\r\n<script>‮ " + "😀" * 100
    read = parse(json.dumps({"txType": "migrate", "mint": mint(1), "signature": hostile, "pool": hostile}))
    assert read.pool.startswith("a[31m<script>‮ 😀")
    assert (len(read.pool), len(read.signature)) == (40, 115)
    read.pool.encode()


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_any_bytes_are_a_value_or_malformed(raw):
    _parsed(raw)


@given(JSON)
def test_any_json_is_a_value_or_malformed(value):
    _parsed(json.dumps(value))


@given(JSON, JSON, JSON)
def test_any_migration_is_clean_or_malformed(mint_, signature, pool):
    read = _parsed(json.dumps({"txType": "migrate", "mint": mint_, "signature": signature, "pool": pool}))
    assert read is None or read.__class__ in (Migration, Other)


@given(st.binary(min_size=32, max_size=32))
def test_every_32_bytes_make_a_mint(raw):
    frame = {"txType": "migrate", "mint": base58(raw)}
    assert isinstance(_parsed(json.dumps(frame)), Migration | Other)


@pytest.mark.parametrize(
    ("frame", "read"),
    [
        ({"errors": ["nope"]}, Other(Kind.ERROR, '["nope"]')),
        ({"errors": "nope"}, Other(Kind.ERROR, "nope")),
        ({"message": "Hello"}, Other(Kind.MESSAGE, "Hello")),
        ({"message": {"a": 1}}, Other(Kind.MESSAGE, '{"a": 1}')),
        ({"message": "x" * 300}, Other(Kind.MESSAGE, "x" * 200)),
    ],
)
def test_what_the_server_says_is_kept_in_its_words_and_short(frame, read):
    assert parse(json.dumps(frame)) == read


def test_a_signature_is_cut_to_what_its_column_holds():
    read = parse(json.dumps({"txType": "migrate", "mint": mint(1), "signature": "s" * 300, "pool": "p" * 300}))
    assert (len(read.signature), len(read.pool)) == (128, 40)


def test_waits_are_drawn_from_nothing_up_to_twice_as_much_each_time():
    chance, waits = random.Random(3), backoff(20.0, random.Random(3))
    for most in (1, 2, 4, 8, 16, 20, 20):
        assert next(waits) == max(1.0, chance.uniform(0, most))


def test_of_twenty_losses_in_a_row_the_twentieth_waits_until_the_first_is_long_ago():
    patience, lost, now = Patience(1, 300), Lost("gone", kind="gone"), datetime(2026, 11, 21, tzinfo=UTC)
    waits = [patience.after(lost, at / 10, now) for at in range(100, 121)]
    assert waits == [1.0] * 19 + [pytest.approx(8.1)] * 2


def test_a_mint_of_44_letters_is_heard_also_where_they_stand_for_a_byte_too_many():
    mint_of_33_bytes = "z" * 40 + "pump"
    assert parse(json.dumps({"txType": "migrate", "mint": mint_of_33_bytes})) == Migration(mint_of_33_bytes, "", "")


def _parsed(raw):
    """The value, or None for Malformed; every other exception fails the test."""
    try:
        value = parse(raw)
    except Malformed:
        return None
    if isinstance(value, Migration):
        assert 32 <= len(value.mint) <= 44
        assert value.mint.isascii()
        assert len(value.signature) <= 128
        assert len(value.pool) <= 40
        assert not any(letter in value.signature + value.pool for letter in "\x00\x1b\n\ud800")
    return value


def test_the_acknowledgement_and_any_migration_confirm_the_subscription():
    assert confirms_migrations(parse('{"message":"Subscribed to \'migration\' events."}'))
    assert confirms_migrations(parse(migrate_frame(1)))
    assert not confirms_migrations(parse('{"message":"Successfully subscribed to token creation events."}'))
    assert not confirms_migrations(parse(create_frame(1)))


# When to come back


class Latest(random.Random):
    """Always the far end."""

    def uniform(self, a, b):
        return b


class Earliest(random.Random):
    def uniform(self, a, b):
        return a


def waits(patience, *losses, at=0.0, apart=1000.0):
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    return [patience.after(loss, at + n * apart, now) for n, loss in enumerate(losses)]


CLOSED = Lost("closed by the server (1006)", kind="closed")
REFUSED = Lost("refused with HTTP 403", kind="refused", refused=True, head=b"HTTP/1.1 403 Forbidden\r\n\r\n")


def told(*headers, status=429):
    head = b"HTTP/1.1 %d X\r\n%s\r\n" % (status, "".join(f"{header}\r\n" for header in headers).encode())
    return Lost("refused", kind="refused", refused=status in (403, 429), head=head)


def test_a_refusal_says_how_long_among_other_things():
    assert waits(Patience(60, 300, Earliest()), told("Server: nginx", "Retry-After: 40", "X-Retry-After: 7")) == [40]


def test_the_waits_double_up_to_the_longest():
    longest = backoff(60, Latest())
    assert [next(longest) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_nobody_comes_back_within_a_second():
    soonest = backoff(60, Earliest())
    assert [next(soonest) for _ in range(9)] == [1.0] * 9


def test_the_waits_are_spread_over_the_whole_time():
    firsts = [list(zip(range(7), backoff(60, random.Random(n)), strict=False))[6][1] for n in range(300)]
    assert min(firsts) < 3
    assert max(firsts) > 57


def test_the_waits_grow_until_a_connection_has_proven_itself():
    patience = Patience(60, 300, Latest())
    assert waits(patience, CLOSED, CLOSED, CLOSED) == [1, 2, 4]
    patience.proven()
    assert waits(patience, CLOSED, CLOSED) == [1, 2]


@pytest.mark.parametrize(
    "lost", [REFUSED, Lost("closed by the server (1008: You are banned)", kind="closed"), told(), told("Retry-After: soon")]
)
def test_who_is_not_wanted_stays_away_for_the_ban_wait(lost):
    assert waits(Patience(60, 300, Earliest()), lost) == [300]
    assert waits(Patience(60, 300, Latest()), lost) == [pytest.approx(330)]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 120"], 120),
        (["retry-after:7"], 7),
        (["Retry-After: 0"], 5),
        (["Retry-After: -5"], 300),
        (["Retry-After: 1e9"], 300),
        (["Retry-After: 1000000000"], 900),
        (["Retry-After: 30", "Retry-After: 120"], 120),
        (["Date: Sat, 21 Nov 2026 12:10:00 GMT", "Retry-After: Sat, 21 Nov 2026 12:12:00 GMT"], 120),
        (["Retry-After: Sat, 21 Nov 2026 12:02:00 GMT"], 120),
    ],
)
def test_what_the_server_asks_for_is_given_within_reason(headers, seconds):
    assert waits(Patience(60, 300, Earliest()), told(*headers)) == [seconds]


def test_a_ban_lasts_as_long_as_it_is_told_up_to_three_days():
    for told_sec, kept_sec in ((7200, 7200), (10**9, 3 * 86_400)):
        assert waits(Patience(60, 300, Earliest()), told(f"Retry-After: {told_sec}", status=418)) == [kept_sec]


def test_a_503_that_names_a_time_is_believed_too():
    assert waits(Patience(60, 300, Latest()), told("Retry-After: 40", status=503)) == [40]


def test_a_storm_of_losses_costs_at_most_twenty_connects_in_ten_minutes():
    patience, at, connects = Patience(60, 300, Earliest()), 0.0, [0.0]
    while at < 3600:
        at += patience.after(CLOSED, at, datetime(2026, 11, 21, tzinfo=UTC))
        connects.append(at)
    assert max(sum(1 for other in connects if start <= other < start + 600) for start in connects) <= 20
