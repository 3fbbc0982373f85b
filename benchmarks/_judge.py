"""A stack at rest, compared with a client's book: what was lost, what is there twice, and what the oracle says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks._book import Book
from transcribe.drill import Drill

RUNS = "SELECT job_id::text, count(*), max(state), max(reason), sum(restarts) FROM jobs_run GROUP BY job_id"
TEXTS = (
    "SELECT r.job_id::text, string_agg(s.text, E'\\n' ORDER BY w.index, s.index) FROM jobs_segment s "
    "JOIN jobs_window w ON w.id = s.window_id JOIN jobs_run r ON r.id = w.run_id GROUP BY r.job_id"
)
ATTEMPTS = "SELECT count(*), coalesce(sum(attempts - 1), 0) FROM jobs_window"
HALF = "SELECT id::text FROM jobs_upload WHERE job_id IS NULL"


@dataclass(frozen=True)
class Judgement:
    """Ids of recordings, or sentences. `windows`: how many there are; `again`: handed to an engine once more."""

    lost: Sequence[str]
    doubled: Sequence[str]
    oracle: Sequence[tuple[str, list[str]]]
    recordings: int
    windows: int
    again: int
    restarts: int  # runs whose workflow Temporal had lost

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.oracle)


def judge(drill: Drill, book: Book, texts: Mapping[str, str]) -> Judgement:
    """`texts`: what an undisturbed run heard in each sample. All must have ended, and nobody may be uploading."""
    runs = {row[0]: row[1:] for row in drill.rows(RUNS)}
    heard = dict(drill.rows(TEXTS))
    lost = []
    for entry in book.entries:
        _, state, reason, _ = runs.get(entry.job, (0, "not there", "", 0))
        if state != "succeeded":
            lost.append(f"{entry.job} ({entry.sample}, {entry.door}): {state} {reason}".strip())
        elif heard.get(entry.job, "") != texts[entry.sample]:
            lost.append(f"{entry.job} ({entry.sample}, {entry.door}): another text")
    [[windows, again]] = drill.rows(ATTEMPTS)
    return Judgement(
        lost,
        _doubled(drill, book, runs),
        drill.faults(),
        len(runs),
        windows,
        again,
        sum(row[3] for row in runs.values()),
    )


def _doubled(drill: Drill, book: Book, runs: Mapping[str, Sequence[object]]) -> list[str]:
    """Recordings that nobody sent, or with two runs; keys with two recordings; uploads that never became one."""
    known = book.jobs
    return [
        *(f"{job}: nobody sent it" for job in runs if job not in known),
        *(f"{job}: {row[0]} runs" for job, row in runs.items() if row[0] != 1),
        *(f"key {key}: two recordings" for key in book.doubled),
        *(f"upload {row[0]}: became no recording" for row in drill.rows(HALF)),
    ]
