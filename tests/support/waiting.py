"""Waiting for what other processes do: always a condition with a deadline, never a time that should be enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def wait_until(
    condition: Callable[[], Answer], what: str | Callable[[], object], deadline_s: float = 90, pause_s: float = 0.02
) -> Answer:
    """Asks until the answer is true, and returns it; `what` tells, or finds out, what did not come. Without a pause the
    answer is known as soon as it is true."""
    deadline = time.monotonic() + deadline_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited in vain for: {what() if callable(what) else what}"
        time.sleep(pause_s)
    return answer
