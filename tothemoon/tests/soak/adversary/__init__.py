"""The outside world at its worst: services that misbehave by seeded scenario, a ledger of what they did, a judge of twelve invariants."""
