"""The schema of a vector: which number stands where, and what it means. A stored vector names the version it was made by.

Whoever changes a slot's name, place, unit, text or arithmetic raises VERSION: a test holds names and figures against those of the version.
"""

from __future__ import annotations

import hashlib
import json

from learning.features import FEATURES
from learning.features.slots import Slot

VERSION = 1
SIZE = 240
SLOTS: tuple[Slot, ...] = tuple(feature.slot for feature in FEATURES)
NAMES: tuple[str, ...] = tuple(slot.name for slot in SLOTS)
PLACES: dict[str, int] = {name: place for place, name in enumerate(NAMES)}
HASH = hashlib.sha256(json.dumps([VERSION, [(slot.name, slot.group, slot.unit, slot.text) for slot in SLOTS]]).encode()).hexdigest()
