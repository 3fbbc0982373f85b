import pytest

from transcribe import programs


@pytest.mark.parametrize(("codes", "code", "said"), [
    ([0, programs.NOT_HERE], 0, "failed: none; not here: live"),
    ([1, 0], 1, "failed: api; not here: none"),
    ([-9, programs.NOT_HERE], 1, "failed: api; not here: live"),
])  # fmt: skip
def test_all_benchmarks_run_whatever_becomes_of_one(
    codes: list[int], code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "programs", lambda kind: {"api": "api", "live": "live"})
    monkeypatch.setattr(programs, "run", lambda stem, arguments: codes.pop(0))
    assert programs.main("bench", []) == code
    assert codes == []
    assert said in capsys.readouterr().out


def test_each_benchmark_and_proof_is_found_once() -> None:
    assert {"engine", "exact", "file"} <= set(programs.programs("bench"))
    assert programs.programs("prove")["upload"] == "prove_upload"
    assert not any(name.startswith(("_", "prove")) for name in programs.programs("bench"))
