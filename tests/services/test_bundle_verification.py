from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.errors import Altered, UsageError
from mlproj.exports.container import Writer
from mlproj.model.digest import Digest, canonical
from mlproj.services.bundle_verification import open_bundle, verify_bundle
from mlproj.settings import Limits
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.services.bundles import (
    LIMITS,
    Files,
    contents,
    export,
    leaves,
    made_to_fit,
    rewritten,
    run_with_data,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with data, and with a tag that came after the seal."""
    folder = tmp_path_factory.mktemp("bundle")
    store = open_store(folder / ".mlproj", create=True)
    run = run_with_data(store, folder / "project")
    store.amend(run.run_id, "tag", {"key": "team", "value": "red"})
    export(store, store.find(run.run_id), folder / "run.zip", "data")
    store.close()
    return folder / "run.zip"


def problems(path: Path) -> list[tuple[str, str]]:
    return [(problem.part, problem.message) for problem in verify_bundle(path, LIMITS).problems]


def test_an_untouched_bundle_is_sound(bundle: Path) -> None:
    found = verify_bundle(bundle, LIMITS)
    assert found.sound and found.run_name == "calm-heron"
    assert found.files == len(contents(bundle)) and found.size == bundle.stat().st_size


def test_a_rewritten_one_is_the_same_bytes(bundle: Path) -> None:
    assert rewritten(bundle, lambda files: None).read_bytes() == bundle.read_bytes()


@settings(max_examples=400, deadline=None)
@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_any_changed_bit_is_noticed(bundle: Path, place: int, bit: int) -> None:
    content = bytearray(bundle.read_bytes())
    content[place % len(content)] ^= 1 << bit
    changed = bundle.with_name("bit.zip")
    changed.write_bytes(content)
    assert problems(changed)


def _other(value: Any) -> Any:
    """Another value of the same kind, so that it is not its form that gives it away."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value.startswith("sha256:"):
            return str(Digest.of(value.encode()))
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case None:
            return "something"
        case _:
            return ["something"] if isinstance(value, list) else {"something": "else"}


def _with_other(document: Any, path: tuple[str | int, ...]) -> Any:
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = _other(at[path[-1]])
    return document


DOCUMENTS = ("record.json", "plan.json", "chain/1.json", "chain/2.json", "amendments/2.json", "bundle.json")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_changed_field_is_noticed_although_manifest_and_zip_were_made_to_fit(
    bundle: Path, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(DOCUMENTS))
    document = json.loads(contents(bundle)[name])
    path = data.draw(st.sampled_from([leaf for leaf in leaves(document) if (name, leaf) not in OUTSIDE]))

    def change(files: Files) -> None:
        files[name] = canonical(_with_other(json.loads(files[name]), path))

    found = problems(rewritten(bundle, change))
    assert found, f"{name}: {path}"


OUTSIDE = {("bundle.json", ("name",))}
"""A run's name lies outside its seal: nothing but the manifest vouches for it."""


def test_what_no_seal_covers_is_covered_by_the_manifest(bundle: Path) -> None:
    for name, old, new in (
        ("bundle.json", b"calm-heron", b"calm-HERON"),
        ("ro-crate-metadata.json", b"Process Run Crate", b"Process run crate"),
    ):

        def change(files: Files, name: str = name, old: bytes = old, new: bytes = new) -> None:
            assert old in files[name]
            files[name] = files[name].replace(old, new)

        assert problems(rewritten(bundle, change, listed=False)) == [
            (name, "has been altered: its digest is not that of `manifest-sha256.txt`")
        ]


def _set(name: str, content: bytes) -> Callable[[Files], None]:
    return lambda files: files.update({name: content})


def _drop(name: str) -> Callable[[Files], None]:
    def drop(files: Files) -> None:
        del files[name]

    return drop


def _swap(files: Files) -> None:
    files["source/train.py"], files["source/MLproject"] = files["source/MLproject"], files["source/train.py"]


def _document(name: str, **changes: object) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[name] = canonical({**json.loads(files[name]), **changes})  # type: ignore[dict-item]  # JSON

    return change


def _other_run(files: Files) -> None:
    """A record that fits its digest everywhere, and is another run's."""
    record = canonical({**json.loads(files["record.json"]), "run_id": "0" * 32})
    files["record.json"] = record
    files["bundle.json"] = canonical({**json.loads(files["bundle.json"]), "record": str(Digest.of(record))})


def _climbing_run(files: Files) -> None:
    """A run whose id leads out of a store, with everything made to fit."""
    made_to_fit(files, {**json.loads(files["record.json"]), "run_id": "../../../evil"})


def _climbing_source(files: Files) -> None:
    """A source one of whose files would be laid out beside its folder, with everything made to fit."""
    record = json.loads(files["record.json"])
    old = record["plan"]["snapshot"]
    listed = files.pop(f"manifests/{old[7:]}.txt").replace(b"  train.py", b"  ../train.py")
    new = Digest.of(listed)
    files[f"manifests/{new.hex}.txt"] = listed
    script = files.pop("source/train.py")
    files[f"blobs/{Digest.of(script).hex}"] = script
    record["plan"]["snapshot"] = record["job"]["source"]["snapshot"] = str(new)
    plan = canonical({"schema": "mlproj/experiment/1", **record["plan"]})
    files["plan.json"], record["plan_digest"] = plan, str(Digest.of(plan))
    made_to_fit(files, record)


def _odd_amendment(files: Files) -> None:
    """A tag that says no tag, with everything made to fit."""
    added = canonical({**json.loads(files["amendments/2.json"]), "content": {"key": "x"}})
    files["amendments/2.json"] = added
    link = {**json.loads(files["chain/2.json"]), "payload": str(Digest.of(added))}
    files["chain/2.json"] = canonical(link)
    made_to_fit(files, json.loads(files["record.json"]))


def _other_plan(files: Files) -> None:
    """A record of a plan with another digest, with everything about it made to fit."""
    document = json.loads(files["record.json"])
    document["plan"]["entry_point"] = "other"
    made_to_fit(files, document)


@pytest.mark.parametrize(
    ("change", "part", "told"),
    [
        (_set("extra.txt", b"x"), "extra.txt", "nothing in the record names it"),
        (_set("source/extra.py", b"x"), "source/extra.py", "nothing in the record names it"),
        (_set("environment/evil-1.0-py3-none-any.whl", b"x"), "bundle.json", "do not name what is there"),
        (_set("amendments/9.json", b"{}"), "chain", "do not fit"),
        (_drop("chain/2.json"), "chain", "not those that `bundle.json` names"),
        (_set("chain/9.json", b"{}"), "chain", "cannot be what was written"),
        (_set("chain/x.json", b"{}"), "chain", "cannot be what was written"),
        (_set("../evil", b"x"), "../evil", "leads out of its folder"),
        (_set("/evil", b"x"), "/evil", "no relative path"),
        (_set("C:/evil", b"x"), "C:/evil", "no relative path"),
        (_set("source\\evil", b"x"), "source\\evil", "does not mean the same everywhere"),
        (_set("SOURCE/train.py", b"x"), "source/MLproject", "the same path as another"),
        (_set("record.JSON", b"x"), "record.json", "the same path as another"),
        (_drop("source/train.py"), "source/train.py", "the record names it, and it is not there"),
        (_drop("outputs/model.bin"), "outputs/model.bin", "the record names it, and it is not there"),
        (_drop("data/data.csv"), "data/data.csv", "the record names it, and it is not there"),
        (_drop("lock/pylock.toml"), "lock/pylock.toml", "the record names it, and it is not there"),
        (_drop("record.json"), "record.json", "is not in it"),
        (_drop("bundle.json"), "bundle.json", "is not in it"),
        (_drop("plan.json"), "plan.json", "does not say what the record says"),
        (_drop("chain/1.json"), "chain", "does not link what it should"),
        (_drop("amendments/2.json"), "chain", "do not fit"),
        (_swap, "source/MLproject", "is not what the record names"),
        (_set("data/data.csv", b"other"), "data/data.csv", "is not what the record names"),
        (_set("outputs/model.bin", b"other"), "outputs/model.bin", "is not what the record names"),
        (_set("record.json", b"{}"), "record.json", "its digest is not the one in `bundle.json`"),
        (_set("bundle.json", b"no json"), "bundle.json", "cannot be what was written"),
        (_set("bundle.json", b"[" * 100_000), "bundle.json", "cannot be what was written"),
        (_document("bundle.json", schema="mlproj/bundle/2"), "bundle.json", "does not know: mlproj/bundle/2"),
        (_document("bundle.json", new=1), "bundle.json", "cannot be what was written"),
        (_document("bundle.json", run_id="0" * 32), "record.json", "not of `" + "0" * 32),
        (_document("bundle.json", parts=["data", "everything"]), "bundle.json", "`parts` are not such"),
        (_document("bundle.json", parts=[]), "data/data.csv", "nothing in the record names it"),
        (_document("bundle.json", left_out=[]), "bundle.json", "what it says of `left_out`"),
        (_document("bundle.json", elsewhere={"a": "b"}), "bundle.json", "what it says of `elsewhere`"),
        (_other_run, "record.json", "it is that of run `0000"),
        (_climbing_run, "record.json", "cannot be the id of a run"),
        (_climbing_source, "bundle.json", "`../train.py` leads out of its folder"),
        (_odd_amendment, "amendments", "do not say what such ones have to say"),
        (_other_plan, "record.json", "names a plan that is not the one it holds"),
    ],
)
def test_what_was_changed_is_named(
    bundle: Path, change: Callable[[Files], None], part: str, told: str
) -> None:
    found = problems(rewritten(bundle, change))
    assert any(each == part and told in message for each, message in found), found
    with pytest.raises(Altered), open_bundle(rewritten(bundle, change), LIMITS):
        pass


def test_a_manifest_that_lists_too_much_or_too_little(bundle: Path) -> None:
    def less(files: Files) -> None:
        lines = files["manifest-sha256.txt"].splitlines(keepends=True)
        files["manifest-sha256.txt"] = b"".join(line for line in lines if b"train.py" not in line)

    def more(files: Files) -> None:
        files["manifest-sha256.txt"] += b"0" * 64 + b"  z\n"

    def odd(files: Files) -> None:
        files["manifest-sha256.txt"] = files["manifest-sha256.txt"].replace(b"  record", b" *record")

    assert problems(rewritten(bundle, less, listed=False)) == [
        ("source/train.py", "`manifest-sha256.txt` does not name it")
    ]
    assert problems(rewritten(bundle, more, listed=False)) == [
        ("z", "`manifest-sha256.txt` names it, and it is not there")
    ]
    assert "cannot be read" in problems(rewritten(bundle, odd, listed=False))[0][1]


def test_limits_are_kept(bundle: Path) -> None:
    size = sum(map(len, contents(bundle).values()))
    for limits, told in (
        (Limits(bundle=size - 1), f"holds {size} bytes, more than"),
        (Limits(bundle_files=3), "files, more than the 3 that are read"),
    ):
        (problem,) = verify_bundle(bundle, limits).problems
        assert told in problem.message
    assert verify_bundle(bundle, Limits(bundle=size)).sound


def test_no_file_and_a_folder_are_no_bundle(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(UsageError, match="there is no file"):
            verify_bundle(path, LIMITS)


def test_packages_have_to_be_those_of_the_lock(store: FolderStore, tmp_path: Path) -> None:
    run = run_with_data(store, tmp_path / "project")
    export(store, run, tmp_path / "run.zip")

    def change(files: Files) -> None:
        _document("bundle.json", parts=["environment"])(files)
        files["environment/evil-1.0-py3-none-any.whl"] = b"evil"

    assert problems(rewritten(tmp_path / "run.zip", change)) == [
        ("environment/evil-1.0-py3-none-any.whl", "the lock names no such file")
    ]


def test_a_path_that_is_there_twice_is_named(bundle: Path) -> None:
    twice = bundle.with_name("twice.zip")
    with twice.open("wb") as file:
        writer = Writer(file)
        for name, content in contents(bundle).items():
            for _ in range(2 if name == "record.json" else 1):
                writer.add(name, len(content), iter((content,)))
        writer.finish()
    assert ("record.json", "is there twice") in problems(twice)
