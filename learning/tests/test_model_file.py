"""Model files: the same bits again, and nothing but what was registered is read."""

import hashlib
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from learning import model_file, schema
from learning.model_file import NoExtra, Unusable
from learning.tests.small_models import contents, vectors
from learning.training import heads


def written(folder: Path, document: Any) -> tuple[Path, str]:
    path = folder / "strange.skops"
    path.write_bytes(skops.io.dumps(document))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_model_that_was_written_and_read_says_the_same_to_the_last_bit(tmp_path: Path) -> None:
    file, found = model_file.write(tmp_path, "small-1", contents(), schema.HASH)
    again, values = model_file.read(tmp_path / file, found, schema.HASH), vectors(seed=7)
    before, after = contents().horizons[60], again.horizons[60]
    assert heads.probabilities(before["direction"], values)[0].tobytes() == heads.probabilities(after["direction"], values)[0].tobytes()
    for name, low, high in (("gross", -1, again.caps[60]), ("fall", 0, 1)):
        assert heads.means(before[name], values, low, high)[0].tobytes() == heads.means(after[name], values, low, high)[0].tobytes()
    assert again.caps == contents().caps
    assert np.array_equal(again.reference.edges, contents().reference.edges)
    assert np.array_equal(again.reference.shares, contents().reference.shares)


def test_nothing_half_written_stays_and_the_name_says_which_file_it_is(tmp_path: Path) -> None:
    file, found = model_file.write(tmp_path / "new", "small-1", contents(), schema.HASH)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [file]
    assert file == f"small-1-{found[:12]}.skops"


@pytest.mark.parametrize("place", [0, 1_000, -1])
def test_one_changed_byte_is_noticed(tmp_path: Path, place: int) -> None:
    file, found = model_file.write(tmp_path, "small-1", contents(), schema.HASH)
    changed = bytearray((tmp_path / file).read_bytes())
    changed[place] ^= 1
    (tmp_path / file).write_bytes(changed)
    with pytest.raises(Unusable, match="not the file that was registered"):
        model_file.read(tmp_path / file, found, schema.HASH)


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    file, found = model_file.write(tmp_path, "small-1", contents(), "f" * 64)
    with pytest.raises(Unusable, match="another version of the features"):
        model_file.read(tmp_path / file, found, schema.HASH)


def test_a_model_of_another_release_of_the_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, found = model_file.write(tmp_path, "small-1", contents(), schema.HASH)
    monkeypatch.setattr(model_file, "version", lambda name: "1.4.2")
    with pytest.raises(Unusable, match=r"here is 1\.4: train anew"):
        model_file.read(tmp_path / file, found, schema.HASH)


def test_kinds_that_no_model_of_ours_is_made_of_are_not_even_built(tmp_path: Path) -> None:
    stranger = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    path, found = written(tmp_path, {"format": model_file.FORMAT, "schema": schema.HASH, "horizons": {"60": stranger}, "x": Unusable})
    with pytest.raises(Unusable, match="more than a model is made of"):
        model_file.read(path, found, schema.HASH)


OURS = {"format": model_file.FORMAT, "schema": schema.HASH, "library": model_file.library()}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([1, 2], "not a model of this program"),
        ({"format": 99}, "not a model of this program"),
        (OURS, "broken"),
        (OURS | {"horizons": {}, "caps": {}, "edges": 0, "shares": 0, "rows": 1}, "knows no horizon"),
        (OURS | {"horizons": LogisticRegression()}, "broken"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_with_the_reason(tmp_path: Path, document: Any, why: str) -> None:
    path, found = written(tmp_path, document)
    with pytest.raises(Unusable, match=why):
        model_file.read(path, found, schema.HASH)


@pytest.mark.parametrize("broken", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_model_is_broken_and_says_so(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "x.skops").write_bytes(broken)
    with pytest.raises(Unusable, match="broken"):
        model_file.read(tmp_path / "x.skops", hashlib.sha256(broken).hexdigest(), schema.HASH)


def test_a_file_that_is_gone_and_one_that_unpacks_to_far_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unusable, match="cannot be read"):
        model_file.read(tmp_path / "gone.skops", "0" * 64, schema.HASH)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("schema.json", bytes(100_000))
    monkeypatch.setattr(model_file, "LARGEST", 50_000)
    with pytest.raises(Unusable, match="unpacks to more"):
        model_file.unpacked(packed.getvalue(), schema.HASH)


def test_without_the_extra_nothing_is_written_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skops", None)
    assert not model_file.installed()
    with pytest.raises(NoExtra):
        model_file.read(tmp_path / "any.skops", "0" * 64, schema.HASH)
    with pytest.raises(NoExtra):
        model_file.write(tmp_path, "any", contents(), schema.HASH)
