"""docs/faults.md: every fault that was thought of, the scenario that plays it, and the line it has to hold. Written from the scenarios.

python -m tothemoon.tests.soak.adversary.rows writes it anew; a test compares.
"""

from collections import defaultdict
from pathlib import Path

from tothemoon.tests.soak.adversary import rows_of_the_site
from tothemoon.tests.soak.adversary.catalogue import EVERY, Scenario
from tothemoon.tests.soak.adversary.run import LANES
from tothemoon.tests.soak.victims import ROOT

PAPER = ROOT / "docs" / "faults.md"

FAULTS = {
    "W01": "The peer is gone and TCP does not know it",
    "W02": "Pings are answered, and nothing is said for hours",
    "W03": "Events come, pongs never do",
    "W04": "The server drops who does not answer its pings at once",
    "W05": "A clean close: 1000, 1001, no code",
    "W06": "Any other close code, any reason, text or not",
    "W07": "RST, FIN without a close frame, an end in the middle of a frame",
    "W08": "Accepted, acknowledged and closed at once, again and again",
    "W09": "429 with a Retry-After of every shape, or none",
    "W10": "Banned: 403 for an hour",
    "W11": "401, 404, 426 and every 5xx to the handshake",
    "W12": "The handshake answered with a redirect",
    "W13": "The name does not resolve, or not yet",
    "W14": "Nobody listens, or a black hole does",
    "W15": "A certificate of somebody else, or no TLS at all",
    "W16": "A handshake that stalls, drips, lies or swells",
    "W17": "The subscription is not acknowledged, or answered with an error",
    "W18": "A new connection knows no subscriptions",
    "W19": "Events told twice, two hundred told again, one a thousand times",
    "W20": "A mint told again with another signature; quote mints as mints",
    "W21": "One bonding curve for three mints",
    "W22": "Events out of order",
    "W23": "Kinds of event that nobody knows, fifty unknown fields",
    "W24": "Frames that are no events: messages, lists, numbers, nothing, HTML",
    "W25": "Fields missing, null or of another type",
    "W26": "A mint that is no Solana address",
    "W27": "Text meant to harm: markup, SQL, control characters, half surrogates, far too much",
    "W28": "Numbers that are none",
    "W29": "Broken JSON, very deep JSON, other encodings",
    "W30": "Binary frames with JSON, and with noise",
    "W31": "Text frames that are not UTF-8",
    "W32": "Frames, announcements and pieces without end; compressed ones",
    "W33": "A broken protocol",
    "W34": "Thousands of events within a second",
    "W35": "Two hundred events a second for long",
    "W36": "A database that stalls or is away",
    "W37": "Two listeners",
    "W38": "A flood of pings and pongs",
    "W39": "Told to end in a burst",
    "W40": "Killed in a burst",
    "W41": "The local clock jumps",
    "W42": "The connection is ended once a day",
    "W43": "A token that was rolled back: no service ever hears of it",
    "W44": "A message that comes byte by byte",
    "W45": "Proxies named in the environment",
    "R01": "Nobody there: refused, silent, unknown, not to be trusted",
    "R02": "No answer; headers or body dripped",
    "R03": "Broken off in the middle; closed under us",
    "R04": "gzip that is cut, that lies, or that holds a gigabyte",
    "R05": "429 with every shape of Retry-After, or x-ratelimit-reset",
    "R06": "429 for long",
    "R07": "5xx in bursts, or for half of all requests",
    "R08": "200 with HTML, nothing, null, other encodings, another type",
    "R09": "`success: false`, in every spelling, and errors with 200",
    "R10": "The quota is used up",
    "R11": "The key is refused, the plan lacks something, the address is blocked",
    "R12": "400 or 404 for one token",
    "R13": "Tokens missing, not asked for, swapped, spelled otherwise",
    "R14": "A field missing or renamed",
    "R15": "Figures that cannot be",
    "R16": "Times that cannot be",
    "R17": "Figures that are hours old",
    "R18": "Figures that contradict each other",
    "R19": "A redirect to somebody else",
    "R20": "Heads gone mad",
    "R21": "Every answer slower than the tick",
    "R22": "A server whose clock is wrong",
    "R23": "Many tokens at a slow rate",
    "R24": "An older answer after a newer one",
    "R25": "Lists that never end",
    "R26": "The key in an error's text",
    "S01": "A job longer than its interval",
    "S02": "Frozen over a due time",
    "S03": "Two schedulers",
    "S04": "The leader's session dies",
    "S05": "The clock jumps",
    "S06": "Told to end in the middle of a tick",
    "S07": "Killed in the middle of a transaction",
    "S08": "One token raises whatever it likes",
    "S09": "A job of the tick hangs",
    "S10": "Starved of processor time",
    "S11": "Memory over a long time",
    "S12": "DEBUG in a worker",
    "S13": "Started before its database",
    "S14": "Falls twenty times in a minute",
    "S15": "A hang-up, a broken pipe, an output that nobody reads",
    "S16": "The same tick twice",
    "D01": "PostgreSQL crashes under load",
    "D02": "Sessions ended by an administrator",
    "D03": "No session to be had",
    "D04": "Deadlocks",
    "D05": "A table locked by a migration",
    "D06": "No room left",
    "D07": "Committed, and the answer lost",
    "D08": "Four at once on SQLite",
    "D09": "SQLite after a kill",
    "D10": "One poisoned row in a batch",
    "D11": "A clean-up of very many rows",
    "D12": "Back to yesterday's back-up",
}

# Rows that something else than a scenario holds, or more than the scenario does.
BESIDES = {
    "W32": "compression is not offered, so a compressed frame is a broken protocol, and a bomb cannot come this way",
    "W17": "the second asking after 15 s: `ingestion/tests/test_listening.py`",
    "W13": "a resolver that is silent for long: `ingestion/tests/test_listening_in_trouble.py`",
    "W34": "10,000 at once: `ingestion/tests/test_listening_in_trouble.py`",
    "W40": "a hundred kills: `./run soak`",
    "D07": "a commit that is reported as failed: `ingestion/tests/test_listening_in_trouble.py`",
    "D11": "`tokens/tests/test_cleanup.py`, `tothemoon/tests/test_jobs.py`",
    "D12": "`tothemoon/tests/test_backup.py`",
    "S07": "a hundred kills: `./run soak`; of the stages: `./run soak --stages`",
    "S05": "`forget_ahead`, table by table: `tothemoon/tests/test_forget_ahead.py`. Until it is run, what was asked about before a clock "
    "went back is asked about again when the clock has caught up, and pages, `/health` and answers to programs say so",
    "S14": "the units' own words: `tothemoon/tests/test_deploy.py`",
}

# What is not held, in so many words.
NOT_HELD = {
    "R17": "a service that repeats one answer for ever looks alive, unless its last trade tells",
    "R24": "DexScreener dates nothing: an answer of it that is older than the one before cannot be told by it",
    "D06": "only SQLite's files are made to run full; PostgreSQL's would need a file system of its own",
    "S11": "the slope over hours is for a run by `--minutes`; what is judged is that no lane ends more than 128 MB above its start",
}

HEAD = """# Faults, and what is held against them

The outside services, the processes and the database misbehave on purpose, by scenario and by seed; the real listener, scheduler and site
run against them over real sockets, on SQLite and on PostgreSQL. What was sent, to whom and when stands in a ledger outside of the system;
a judge compares it with the tables, the logs, `/health` and the processes. Two dozen clients that are broken on purpose prove that the
judge convicts.

```
./run soak --scenarios                         every scenario once on both databases
./run soak --scenarios --minutes 60 --seed 7   again and again, with seeds drawn from this one
./run soak --scenarios --only W01 --db sqlite  the scenarios of one row, by row, name or lane
```

Timers are short there (a stall is 6 s, a request's deadline 1.5 s), so that a round takes minutes; the tests of every change play it once
and wait patiently.

This page is written from the scenarios by `python -m tothemoon.tests.soak.adversary.rows`.

## What must hold whatever happens

| | |
|---|---|
| I1 | No process ends that was not ended |
| I2 | Nothing is stored twice, and each token's history leads to its status |
| I3 | Nothing is stored that no honest answer told |
| I4 | Every event written to an open connection is stored, but for the 250 ms before a kill |
| I5 | The time in which nothing could be heard is on record, ± 2 s a gap |
| I6 | Back at work within the time of the row |
| I7 | One connection to the feed, never two within a second, never before it was allowed; requests within the rate |
| I8 | Memory, queues, logs and sessions stay within bounds |
| I9 | No value that is not a plain one in any column |
| I10 | `/health`, states and counters tell what is wrong, and when it is right again |
| I11 | No key in a log, a table, a process's arguments, or where a redirect points |
| I12 | The tables are the same as after the same events in peace |
"""


def registered() -> list[Scenario]:
    """In the order in which they play."""
    order = list(LANES)
    return sorted(EVERY, key=lambda scenario: order.index(scenario.lane))


def page() -> str:
    by_row: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in registered():
        for row in scenario.rows:
            by_row[row].append(scenario)
    lines = [HEAD, "## The faults\n", "| | Fault | Scenarios | Held besides, or not held |", "|---|---|---|---|"]
    for row, fault in FAULTS.items():
        names = ", ".join(f"[{scenario.name}](#{scenario.name})" for scenario in by_row[row]) or "–"
        said = [BESIDES.get(row, ""), f"**not held:** {NOT_HELD[row]}" if row in NOT_HELD else ""]
        lines.append(f"| {row} | {fault} | {names} | {'; '.join(word for word in said if word)} |")
    lines += ["", "## The site and its operation\n", *rows_of_the_site.lines()]
    lines += ["", "## The scenarios, and the line each has to hold"]
    for lane in LANES:
        lines += ["", f"### {lane}", ""]
        for scenario in (each for each in EVERY if each.lane == lane):
            only = f" Only on {'PostgreSQL' if scenario.only_on == 'postgres' else 'SQLite'}." if scenario.only_on else ""
            lines.append(f'- <a id="{scenario.name}"></a>**{scenario.name}** ({", ".join(scenario.rows)}): {scenario.promise}{only}')
    return "\n".join(lines) + "\n"


def main(paper: Path = PAPER) -> None:
    paper.write_text(page())


if __name__ == "__main__":
    main()
