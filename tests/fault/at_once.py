"""Several cases of a test at the same time: they wait more than they work."""

import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

PARALLEL = 3


def run_at_once(cases: Mapping[str, Callable[[], None]]) -> None:
    """Runs all cases, and raises one AssertionError that tells of all those that have failed."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        # A case starts and ends its processes in one thread, which lives longer: they end with it.
        running = {name: pool.submit(case) for name, case in cases.items()}
    failed = {name: error for name, future in running.items() if (error := future.exception())}
    for name, error in failed.items():
        print(f"---- {name}")
        print("".join(traceback.format_exception(error)))
    assert not failed, f"{len(failed)} of {len(running)}: {', '.join(failed)}"
