"""From a name to a file: real files, a real local server in place of the publisher's."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from worker import model
from worker.model import ModelMissing, Unreachable, choose, resolve

DEMO = Path(model.__file__).parent / "demo" / "demo.pt"
CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server that offers `base`; returns the file it serves."""
    file = tmp_path / "site" / DIGEST / "base.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "site"))  # type: ignore[arg-type] # as the base has it

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{DIGEST}/base.pt"
    monkeypatch.setattr(model, "published", lambda: {"base": address})
    yield file
    server.shutdown()
    server.server_close()


def test_a_path_is_taken_as_it_is() -> None:
    assert resolve(str(DEMO)) == DEMO.resolve()


def test_a_path_without_a_file_is_an_error() -> None:
    with pytest.raises(ModelMissing, match="There is no checkpoint at /nowhere"):
        choose("/nowhere/x.pt", DEMO)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ModelMissing, match="large-v3") as caught:
        choose("bases", DEMO)
    assert not isinstance(caught.value, Unreachable)


def test_published_names_come_from_openai_whisper() -> None:
    assert {"base", "large-v3"} <= set(model.published())
    assert all(url.startswith("https://") and len(url.split("/")[-2]) == 64 for url in model.published().values())


def test_the_default_is_fetched_once_through_the_real_loader(publisher: Path, tmp_path: Path) -> None:
    said: list[str] = []
    path, name = choose(None, DEMO, tmp_path / "cache", said.append)
    assert (path.read_bytes(), name) == (CONTENT, "base")
    publisher.unlink()
    assert choose(None, DEMO, tmp_path / "cache", said.append) == (path, "base")
    assert len(said) == 1
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == ["base.pt"]


def test_a_partial_file_never_counts_as_weights(publisher: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "base.pt").write_bytes(CONTENT[:100])
    publisher.unlink()
    said: list[str] = []
    assert choose(None, DEMO, cache, said.append) == (DEMO, "demo")
    assert "demo model" in said[0]


def test_a_named_model_that_cannot_be_fetched_is_an_error(publisher: Path, tmp_path: Path) -> None:
    publisher.unlink()
    with pytest.raises(Unreachable, match="base"):
        choose("base", DEMO, tmp_path / "cache")


def test_a_wrong_file_from_the_publisher_is_refused(publisher: Path, tmp_path: Path) -> None:
    publisher.write_bytes(b"a sign-in page of a hotel")
    with pytest.raises(Unreachable):
        resolve("base", tmp_path / "cache", lambda _line: None)
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_torch_and_no_django_is_loaded() -> None:
    code = "import sys, worker.model as m; m.published(); print({'torch', 'django', 'whisper'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DEMO.parents[2])
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("entry", "name", "what"),
    [
        ("large-v3", "large-v3", "large-v3"),
        ("/models/mine.pt", "mine", "/models/mine.pt"),
        ("ours=/models/mine.pt", "ours", "/models/mine.pt"),
        ("/a=b/mine.pt", "mine", "/a=b/mine.pt"),
    ],
)
def test_entries_of_operators_name_a_model(entry: str, name: str, what: str) -> None:
    assert model.named(entry) == (name, what)
