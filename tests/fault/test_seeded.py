"""Jobs under faults at seeded moments: seeds that are always the same, and one of the day, which is printed."""

import datetime

from fault_jobs import JOBS
from seeded import run_many

FIXED = [3, 8]


def test_what_is_stored_is_the_same_as_without_faults() -> None:
    today = int(datetime.datetime.now(datetime.UTC).strftime("%Y%m%d"))
    assert run_many(list(JOBS), [*FIXED, today], parallel=3) == 0
