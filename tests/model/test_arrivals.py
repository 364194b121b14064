from __future__ import annotations

import os

import pytest

from mlproj.model.arrivals import LONGEST, is_address, refuse_odd_list, refuse_odd_outputs
from mlproj.model.digest import Digest, folder_manifest, readable, snapshot_manifest
from mlproj.model.record import BlobReference
from mlproj.model.run import Output

A, B = Digest.of(b"a"), Digest.of(b"b")


def output(path: str, *, kind: str = "file", state: str = "written", declared: bool = True) -> Output:
    return Output(path=path, state=state, kind=kind, digest=A, declared=declared)


@pytest.mark.parametrize(
    "path",
    ["", "/", "..", "../up", "/etc/x", "a//b", "./a", "a/../b", "a/.", "a\0b", "a" * 5000, "ä" * 2100],
)
def test_a_path_that_no_run_left_is_named(path: str) -> None:
    with pytest.raises(ValueError, match=r"the path `.*` of an output") as refused:
        refuse_odd_outputs([output("fine"), output(path, declared=False)])
    assert path[:50] in str(refused.value)


@pytest.mark.parametrize(
    "path",
    [
        "model.joblib",
        "out/",
        "artifacts/a\nb",
        "artifacts/a\\b\rc",
        "...",
        "..a/b..",
        readable(b"artifacts/" + b"\xff" * 200),
        "/".join(["deep"] * 800),
        readable(b"/".join([b"\xff" * 250] * 16)),
    ],
)
def test_whatever_a_file_can_be_called_is_taken(path: str) -> None:
    refuse_odd_outputs([output(path), output(path, declared=False)])


def test_outputs_that_were_declared_are_each_its_own() -> None:
    with pytest.raises(ValueError, match="`a` is declared twice"):
        refuse_odd_outputs([output("a"), output("a", kind="folder")])
    with pytest.raises(ValueError, match="`a/b/c` lies in `a/b`, which is a file"):
        refuse_odd_outputs([output("a/b/c"), output("a/b")])
    refuse_odd_outputs([output("a", kind="folder"), output("a/b"), output("ab")])
    refuse_odd_outputs([output("a", state="missing"), output("a/b")])
    twice = [output("artifacts/x", declared=False)] * 2
    refuse_odd_outputs([*twice, output("artifacts"), output("artifacts/x/y", declared=False)])


def test_what_a_tracking_server_holds_is_called_as_it_calls_it() -> None:
    refuse_odd_outputs([output("artifacts/a//b", state="served", declared=False)])


UNSORTED = f"{A.hex}  z\n{B.hex}  b\n".encode()


@pytest.mark.parametrize(
    "manifest",
    [
        UNSORTED,
        f"{A.hex}  back\\slash\n".encode(),
        f"\\{A.hex}  plain\n".encode(),
        f"{A.hex}  unended".encode(),
        f"100644 {A.hex}  mode\n".encode(),
        b"anything\n",
        b"\xff\n",
        *(folder_manifest([(path, A)]) for path in (b"..", b"../up", b"/etc/x", b"a//b", b"", b"a\0b")),
        folder_manifest([(b"x" * (LONGEST + 1), A)]),
    ],
)
def test_a_list_of_files_is_the_one_of_these_files(manifest: bytes) -> None:
    reference = BlobReference(digest=Digest.of(manifest), part="outputs.fo", manifest=True)
    with pytest.raises(ValueError, match=r"outputs\.fo"):
        refuse_odd_list(reference, manifest)


def test_a_list_with_any_names_is_taken() -> None:
    names = [b"a\nb", b"a\\b", b"a\r", b"\xff", os.fsencode("ä"), b"d/e", b"d.txt"]
    left = folder_manifest((name, A) for name in names)
    refuse_odd_list(BlobReference(digest=Digest.of(left), part="outputs.fo", manifest=True), left)
    source = snapshot_manifest((name, 0o100755, B) for name in names)
    snapshot = BlobReference(digest=Digest.of(source), part="source.snapshot", manifest=True)
    refuse_odd_list(snapshot, source)
    for odd in (b"no list\n", snapshot_manifest([(b"../up", 0o100644, A)])):
        with pytest.raises(ValueError, match=r"source\.snapshot"):
            refuse_odd_list(snapshot, odd)


def test_an_address_is_below_its_run_and_on_one_line() -> None:
    odd = ("", "a//b", "../x", "/x", "a\nb", "a\rb", "a\0b", "a/")
    assert not any(is_address(path) for path in odd)
    assert all(is_address(path) for path in ("a", "a/b c", "ä", "a\\b"))
