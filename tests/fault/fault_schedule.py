"""Which faults come when: drawn from a seed, so that a failing run can be run again."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

# The heartbeat timeout of the clusters of these tests. A worker that stands longer is fenced; on a busy machine others
# stand as long, too, and more is better.
TIMEOUT_S = float(os.environ.get("MILLRACE_FAULT_TIMEOUT_S", "1"))

# How often each kind is drawn.
KINDS = {
    "kill_worker": 6,
    "kill_coordinator": 4,
    "kill_all": 2,
    "freeze_long": 3,
    "freeze_short": 2,
    "freeze_coordinator": 1,
    "cut_control": 2,
    "cut_data": 3,
    "delay_data": 2,
    "delay_control": 1,
    "swallow_data": 1,
    "swallow_control": 1,
    "add_worker": 1,
}


@dataclass(frozen=True)
class Fault:
    """One fault. What `number` and `seconds` mean depends on the kind:

    - kill_worker: kill -9; a new one starts after `seconds`, or none if there are enough left and `number` is odd,
    - kill_coordinator, kill_all: kill -9; started again after `seconds`,
    - freeze_*: SIGSTOP for `seconds`, which is longer than the timeout or shorter,
    - cut_control, cut_data: the connections of a worker are cut when `number` more bytes have passed,
    - delay_*: each piece of data waits for `number` ms, for `seconds`,
    - swallow_*: half-open connections for `seconds`,
    - add_worker.
    """

    at_s: float
    kind: str
    # Which of the workers that live then.
    worker: int
    number: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.at_s:5.2f} s  {self.kind} worker={self.worker} number={self.number} seconds={self.seconds:.2f}"


def draw_schedule(seed: int, until_s: float) -> list[Fault]:
    """One to four faults, in order of time."""
    generator = random.Random(f"schedule {seed}")
    moments = sorted(generator.uniform(0, until_s) for _ in range(generator.randint(1, 4)))
    faults = []
    for moment in moments:
        kind = generator.choices(list(KINDS), weights=list(KINDS.values()))[0]
        worker = generator.randrange(1000)
        number = generator.randrange(2_000 if kind == "cut_control" else 60_000)
        seconds = generator.uniform(0.05, 1.0)
        if kind in ("freeze_long", "swallow_data", "swallow_control", "freeze_coordinator"):
            seconds = TIMEOUT_S * generator.uniform(1.3, 2.5)
        elif kind == "freeze_short":
            seconds = TIMEOUT_S * generator.uniform(0.1, 0.6)
        elif kind.startswith("delay"):
            seconds = generator.uniform(0.5, 1.5)
            number = generator.randrange(5, 60)
        faults.append(Fault(round(moment, 2), kind, worker, number, round(seconds, 2)))
    return faults
