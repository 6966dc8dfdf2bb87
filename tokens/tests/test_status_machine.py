"""The life of two tokens under any sequence of figures, pauses, reviews and hands, against the real rows.

The model beside it is the rule in plain Python, one token at a time.
"""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tokens.lifecycle import change_status, hold, release, review
from tokens.models import Pool, Status, StatusChange, Token, TokenSnapshot
from tokens.status_rule import Rule

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FRESH, INTERVAL, WINDOW, CHECKS, TIMEOUT, YOUNG = 100, 30, 600, 3, 400, 300
tokens = st.integers(0, 1)


class Expected:
    """What the description says of one token."""

    def __init__(self, both):
        self.both, self.status, self.held, self.observed = both, "Initial", False, 0.0
        self.last_check, self.low = None, []  # `low`: the moments of the present run
        self.snapshot = None

    def turn(self, status):
        self.status, self.observed, self.low = status, 0.0, []

    def check(self, now):
        """One review; whether the status changed."""
        if self.snapshot is None or self.held or self.status == "Archived":
            return False
        at, count, liquidity, score, flagged = self.snapshot
        if (now - at).total_seconds() > FRESH or (self.last_check is not None and self.last_check >= at):
            return False
        if self.last_check is not None:
            slower = min(max((at - START).total_seconds() / YOUNG, 1), 20) if self.status == "Initial" else 1
            self.observed += min((at - self.last_check).total_seconds(), 3 * INTERVAL * slower)
        self.last_check = at
        return self.initial(count, liquidity, flagged) if self.status == "Initial" else self.active(at, count, score, flagged)

    def initial(self, count, liquidity, flagged):
        enough = (count is not None and count >= 25) or (liquidity is not None and liquidity >= 500)
        if enough and not flagged:
            self.turn("Active")
        elif self.observed >= TIMEOUT:
            self.turn("Archived")
        else:
            return False
        return True

    def active(self, at, count, score, flagged):
        few, weak = count is not None and count < 25, score is not None and score < 0.3
        many, strong = count is not None and count >= 25, score is not None and score >= 0.3
        if (few and weak) if self.both else (few or weak):
            if self.low and (at - self.low[0]).total_seconds() > WINDOW:
                self.low = []
            self.low.append(at)
        elif ((many or strong) if self.both else (many and not weak)) and not flagged:
            self.low = []
        if self.low and self.low[-1] == at and len(self.low) >= CHECKS:
            self.turn("Archived")
            return True
        return False


class Lives(RuleBasedStateMachine):
    both = False

    def __init__(self):
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.now = START
        self.rows = [Token.objects.create(address=f"{number}" * 44, created_at=START) for number in range(2)]
        for row in self.rows:
            Pool.objects.create(token=row, pool_address=f"pool of {row.pk}", dex_name="pumpswap")
        self.expected = [Expected(self.both) for _ in self.rows]
        self.changes = 0
        self.rule = Rule(
            freshness_limit_sec=FRESH,
            interval_active_sec=INTERVAL,
            interval_initial_sec=INTERVAL,
            initial_young_sec=YOUNG,
            degrade_window_sec=WINDOW,
            degrade_checks=CHECKS,
            degrade_both=self.both,
            initial_timeout_sec=TIMEOUT,
        )

    def teardown(self):
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    @rule(seconds=st.sampled_from([1, 30, 30, 30, 90, 200, 700, 90_000]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(
        which=tokens,
        count=st.sampled_from([None, 0, 24, 24, 25, 500]),
        liquidity=st.sampled_from([None, 0.0, 499.0, 500.0]),
        score=st.sampled_from([None, -1.0, 0.29, 0.3, 2.0]),
        flagged=st.sampled_from([False, False, True]),
    )
    def a_snapshot_comes(self, which, count, liquidity, score, flagged):
        self.now += timedelta(seconds=1)
        figures = {"tx_count_5m": count, "liquidity": liquidity, "contradictions": "price_jump" if flagged else ""}
        TokenSnapshot.objects.create(token=self.rows[which], ts=self.now, source="pools", **figures)
        newest = {"last_snapshot_at": self.now, "last_scored_at": self.now, "last_score_value": score}
        Token.objects.filter(pk=self.rows[which].pk).update(**newest)
        self.expected[which].snapshot = (self.now, count, liquidity, score, flagged)

    @rule()
    def the_rule_looks(self):
        expected = sum(token.check(self.now) for token in self.expected)
        assert review(self.now, self.rule) == expected
        self.changes += expected

    @rule(which=tokens, status=st.sampled_from(list(Status)), held=st.booleans())
    def a_hand_changes(self, which, status, held):
        token = self.expected[which]
        self.changes += token.status != status
        if token.status != status:
            token.turn(status.value)
            token.last_check = None
        token.held = held or token.held
        change_status(self.rows[which], status, "by hand", "olena", self.now, hold=held)

    @rule(which=tokens)
    @precondition(lambda self: any(token.held for token in self.expected))
    def a_hand_releases(self, which):
        token = self.expected[which]
        if token.held:
            token.held, token.last_check, token.low = False, None, []
            self.changes += 1
        release(self.rows[which], "go on", "olena", self.now)

    @rule(which=tokens)
    def a_hand_holds(self, which):
        token = self.expected[which]
        if not token.held:
            token.held, token.last_check, token.low = True, None, []
            self.changes += 1
        hold(self.rows[which], "stop", "olena", self.now)

    @invariant()
    def the_rows_say_what_is_expected(self):
        for row, token in zip(self.rows, self.expected, strict=True):
            row.refresh_from_db()
            assert (row.status, row.held, row.low_checks, row.last_check_at) == (token.status, token.held, len(token.low), token.last_check)
            assert row.observed_sec == pytest.approx(token.observed)

    @invariant()
    def every_change_has_its_row_and_the_rows_make_a_chain(self):
        changes = list(StatusChange.objects.order_by("pk"))
        assert len(changes) == self.changes
        for row, token in zip(self.rows, self.expected, strict=True):
            before = "Initial"
            for change in (change for change in changes if change.token_id == row.pk):
                assert (change.old, bool(change.reason), bool(change.evidence)) == (before, True, True)
                before = change.new
            assert before == token.status


class LivesWhereBothMustBeLow(Lives):
    both = True


@pytest.mark.django_db
@pytest.mark.parametrize("machine", [Lives, LivesWhereBothMustBeLow])
def test_any_life_goes_as_described(machine):
    run_state_machine_as_test(
        machine, settings=settings(max_examples=max(8, settings().max_examples // 5), stateful_step_count=25, deadline=None)
    )
