"""Real-looking mints and migrations, as many as a test wants, always the same ones."""

import hashlib
import json

from ingestion.facts import Migration

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(raw: bytes) -> str:
    number, written = int.from_bytes(raw, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        written = ALPHABET[rest] + written
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + written


def mint(n: int) -> str:
    return base58(hashlib.sha256(f"mint {n}".encode()).digest())


def signature(n: int) -> str:
    return base58(hashlib.sha512(f"signature {n}".encode()).digest())


def migration(n: int) -> Migration:
    return Migration(mint(n), signature(n), "pump-amm")


def migrate_frame(n: int) -> str:
    return json.dumps({"signature": signature(n), "mint": mint(n), "txType": "migrate", "pool": "pump-amm"})


def create_frame(n: int) -> str:
    event = {"signature": signature(n), "mint": mint(n), "txType": "create", "solAmount": 0, "name": "n", "symbol": "s", "pool": "pump"}
    return json.dumps(event)
