"""What is swapped between a look and the opening is not found, rather than found outside."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ohia.files.opening import is_file, open_file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "a").write_text("inside")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a").write_text("a secret")
    return root


def after(monkeypatch: pytest.MonkeyPatch, name: str, swap: Callable[[], object]) -> None:
    """Run `swap` once, when `os.<name>` has first returned."""
    original = getattr(os, name)
    swaps = [swap]

    def swapping(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        if swaps:
            swaps.pop()()
        return result

    monkeypatch.setattr(os, name, swapping)


def test_a_file_that_becomes_a_link_after_the_look_is_not_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap() -> None:
        (root / "folder" / "a").unlink()
        (root / "folder" / "a").symlink_to("../../secrets/a")

    after(monkeypatch, "stat", swap)
    with pytest.raises(FileNotFoundError):
        open_file(str(root), ["folder", "a"], outside=False)


def test_a_file_that_becomes_a_pipe_after_the_look_is_not_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap() -> None:
        (root / "folder" / "a").unlink()
        os.mkfifo(root / "folder" / "a")

    after(monkeypatch, "stat", swap)
    with pytest.raises(FileNotFoundError):
        open_file(str(root), ["folder", "a"], outside=False)


def test_a_folder_that_becomes_a_link_after_the_look_is_not_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is met, its real place is inside, and by the time of the walk it is not."""
    (root / "link").symlink_to("folder")
    original = os.path.realpath

    def swapping(path: Any, **options: Any) -> Any:
        result = original(path, **options)
        if options:
            (root / "folder").rename(root / "moved")
            (root / "folder").symlink_to("../secrets")
        return result

    monkeypatch.setattr(os.path, "realpath", swapping)
    with pytest.raises(FileNotFoundError):
        open_file(str(root), ["link", "a"], outside=False)


def test_a_folder_swapped_during_the_walk_is_the_one_that_was_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    original = os.open

    def swapping(name: Any, *args: Any, **options: Any) -> int:
        result = original(name, *args, **options)
        opened.append(name)
        if name == "folder":
            (root / "folder").rename(root / "moved")
            (root / "folder").symlink_to("../secrets")
        return result

    monkeypatch.setattr(os, "open", swapping)
    found = open_file(str(root), ["folder", "a"], outside=False)
    with found.file as file:
        assert file.read() == b"inside"
    assert opened == [str(root), "folder", "a"]


def test_the_facts_are_those_of_the_open_file(root: Path) -> None:
    found = open_file(str(root), ["folder", "a"], outside=False)
    with found.file as file:
        (root / "folder" / "a").unlink()
        (root / "folder" / "a").write_text("something longer")
        assert (found.facts.st_size, file.read()) == (6, b"inside")


def test_a_folder_is_told_from_what_is_not_there(root: Path) -> None:
    for names in ([], ["folder"]):
        with pytest.raises(IsADirectoryError):
            open_file(str(root), names, outside=False)
        with pytest.raises(IsADirectoryError):
            open_file(str(root), names, outside=True)
    (root / "link").symlink_to("folder")
    with pytest.raises(IsADirectoryError):
        open_file(str(root), ["link"], outside=False)
    (root / "top").symlink_to(".")
    with pytest.raises(IsADirectoryError):
        open_file(str(root), ["top"], outside=False)


@pytest.mark.parametrize(
    "names", [["none"], ["a" * 5000], ["folder", "a", "b"], ["\ud800"], ["\0"]]
)
def test_a_name_that_leads_nowhere_is_not_found(root: Path, names: list[str]) -> None:
    for outside in (False, True):
        with pytest.raises(FileNotFoundError):
            open_file(str(root), names, outside=outside)
    assert not is_file(str(root), names)


def test_where_folders_cannot_be_walked_the_real_place_decides(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ohia.files.opening.CAN_WALK", False)
    (root / "out").symlink_to("../secrets")
    (root / "link").symlink_to("folder")
    with open_file(str(root), ["link", "a"], outside=False).file as file:
        assert file.read() == b"inside"
    with pytest.raises(FileNotFoundError):
        open_file(str(root), ["out", "a"], outside=False)
    with pytest.raises(IsADirectoryError):
        open_file(str(root), [], outside=False)
