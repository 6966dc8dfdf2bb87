"""A trained model as a file: data, not a program. skops writes it, and nothing is read from it but numbers and the few kinds named here.

A file is known by its SHA-256, which stands in the registry: one that is another, was made for other features or by another release of
scikit-learn is not used. Without the extra `ml` nothing here works, and everything else does.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from learning.training.drift import Reference

FORMAT = 1
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]  # all that skops does not know by itself
LARGEST = 200_000_000  # bytes, packed and unpacked


class NoExtra(RuntimeError):
    """scikit-learn and skops are not installed (the extra `ml`)."""


class Unusable(ValueError):
    """This file is not read, and why."""


@dataclass(frozen=True, eq=False)
class Contents:
    """Of each horizon that was learnt its heads and the largest return that counted as itself; how the features lay."""

    horizons: dict[int, dict[str, dict[str, Any]]]
    caps: dict[int, float]
    reference: Reference


def installed() -> bool:
    """Whether models can be trained and asked here."""
    return all(_there(name) for name in ("sklearn", "skops"))


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # what stands in sys.modules has no spec
        return False


def library() -> str:
    """The release of scikit-learn that this is: files of another are not read, for what they hold may mean something else there."""
    try:
        return ".".join(version("scikit-learn").split(".")[:2])
    except PackageNotFoundError:
        raise NoExtra from None


def write(folder: Path, name: str, contents: Contents, schema_hash: str) -> tuple[str, str]:
    """In one step, or not at all. Returns the file's name and its hash."""
    if not installed():
        raise NoExtra
    import skops.io

    document = {
        "format": FORMAT,
        "schema": schema_hash,
        "library": library(),
        "horizons": {str(horizon): heads for horizon, heads in contents.horizons.items()},
        "caps": {str(horizon): float(cap) for horizon, cap in contents.caps.items()},
        "edges": contents.reference.edges,
        "shares": contents.reference.shares,
        "rows": contents.reference.rows,
    }
    written = bytes(skops.io.dumps(document, compression=zipfile.ZIP_DEFLATED))
    found = hashlib.sha256(written).hexdigest()
    file = f"{name}-{found[:12]}.skops"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part", delete=False) as part:
        part.write(written)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(folder / file)
    return file, found


def read(path: Path, file_hash: str, schema_hash: str) -> Contents:
    """What `write` wrote. Unusable with the reason, whatever is wrong with it; the bytes that were hashed are those that are read."""
    if not installed():
        raise NoExtra
    return unpacked(_bytes(path, file_hash), schema_hash)


def _bytes(path: Path, file_hash: str) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise Unusable(f"{path.name} is larger than {LARGEST // 1_000_000} MB")
        found = path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path.name} cannot be read ({type(error).__name__})") from error
    if hashlib.sha256(found).hexdigest() != file_hash:
        raise Unusable(f"{path.name} is not the file that was registered: its hash is another one")
    return found


def unpacked(written: bytes, schema_hash: str) -> Contents:
    """Only from bytes whose hash is the registered one."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        with zipfile.ZipFile(BytesIO(written)) as parts:
            if sum(part.file_size for part in parts.infolist()) > LARGEST:
                raise Unusable("it unpacks to more than a model has")
        document = skops.io.loads(written, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise Unusable("it holds more than a model is made of, and was not read") from error
    except (zipfile.BadZipFile, ValueError, TypeError, KeyError, AttributeError, ImportError, OSError, EOFError) as error:
        raise error if isinstance(error, Unusable) else Unusable(f"it is broken ({type(error).__name__})") from error
    return _contents(document, schema_hash)


def _contents(document: Any, schema_hash: str) -> Contents:
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise Unusable("it is not a model of this program")
    if document.get("schema") != schema_hash:
        raise Unusable("it was made for another version of the features")
    if document.get("library") != library():
        raise Unusable(f"it was made by scikit-learn {document.get('library')}, here is {library()}: train anew")
    try:
        horizons = {int(horizon): dict(heads) for horizon, heads in document["horizons"].items()}
        caps = {int(horizon): float(cap) for horizon, cap in document["caps"].items()}
        reference = Reference(np.asarray(document["edges"]), np.asarray(document["shares"]), int(document["rows"]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unusable(f"it is broken ({type(error).__name__})") from error
    if not horizons or set(horizons) != set(caps) or any("direction" not in heads for heads in horizons.values()):
        raise Unusable("it knows no horizon, or no direction at one")
    return Contents(horizons, caps, reference)
