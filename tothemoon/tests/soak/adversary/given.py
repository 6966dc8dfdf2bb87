"""python -m tothemoon.tests.soak.adversary.given STATUS MINT …: tokens that are there before a scenario begins."""

import os
import sys

import django


def main(status: str, mints: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tothemoon.settings")
    django.setup()
    from django.utils import timezone

    from ingestion.models import WatchedSymbol
    from tokens.models import StatusChange, Token

    if status == "watched":
        WatchedSymbol.objects.bulk_create(WatchedSymbol(symbol=symbol) for symbol in mints)
        return
    now = timezone.now()
    since = {"activated_at": now} if status == "Active" else {}
    made = Token.objects.bulk_create(Token(address=mint, status=status, created_at=now, status_changed_at=now, **since) for mint in mints)
    StatusChange.objects.bulk_create(
        StatusChange(token=token, old="", new="Initial", reason="given", actor="listener", ts=now) for token in made
    )
    if status == "Active":
        StatusChange.objects.bulk_create(
            StatusChange(token=token, old="Initial", new="Active", reason="given", actor="rule:activate", ts=now) for token in made
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
