"""Millrace through materialized views: tables arrive as streams, and every query is a view over them."""

from __future__ import annotations

import itertools
import random
import re
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from support.sql_client import SqlClient

from .arrival import Arrival, write_arrival
from .engine import Query, Refused, Result, SqlError, Table, Undecided
from .millrace_engine import MillraceEngine, run_statement

# Views that are built at the same time: each of them waits most of the time.
NUM_SESSIONS = 6
EPOCH_INTERVAL = "20 ms"
ON_CLOSE = "WITH (emit = 'on_window_close')"
# Queries that event time may bring to an end.
TIMED = re.compile(r"\b(tumble|hop|cumulate|session|over)\b", re.IGNORECASE)
# Classes of errors that data cause.
DATA_ERRORS = ("21", "22")
# What a stream refuses on purpose: not supported, or it would need a watermark.
REFUSED = ("0A000", "55000")


class ViewEngine(MillraceEngine):
    """Answers a query by a view of its own, read when all rows have come and the view is complete.

    The views between two other statements are built side by side.
    """

    def __init__(self, build: Path, seed: int) -> None:
        super().__init__(build)
        self.names = {"millrace", "millrace-view"}
        self._seed = seed
        self._shape = "plain"
        self._numbers = itertools.count(1)
        self._pool = ThreadPoolExecutor(NUM_SESSIONS)
        self._sessions = [SqlClient(self.address) for _ in range(NUM_SESSIONS)]
        self._idle = deque(self._sessions)
        self._begun: deque[Future[Result]] = deque()

    @property
    def unordered(self) -> bool:
        return True

    @property
    def streams_only(self) -> bool:
        return True

    def configure_arrival(self, shape: str) -> None:
        """`shape`: one of arrival.SHAPES."""
        self._shape = shape

    def begin_file(self) -> None:
        super().begin_file()
        self.execute(f"SET epoch_interval = '{EPOCH_INTERVAL}'")

    def end_file(self) -> None:
        for future in self._begun:
            future.cancel()
            with suppress(SqlError):
                future.exception()
        self._begun.clear()
        super().end_file()

    def load(self, table: Table) -> None:
        chance = random.Random(f"{self._seed} {self._parallelism} {self._shape} {table.name} {table.file.name}")
        arrival = Arrival(self._tables / table.name, self._table_format, self._shape, chance)
        for statement in write_arrival(table, arrival):
            self.execute(statement)

    def begin(self, queries: Sequence[Query]) -> None:
        settings = dict(self._client.settings)
        for query in queries:
            self._begun.append(self._pool.submit(self._answer, query, settings))

    def query(self, query: Query) -> Result:
        return self._begun.popleft().result()

    def _answer(self, query: Query, settings: dict[str, str]) -> Result:
        session = self._idle.popleft()
        try:
            session.settings = dict(settings)
            return self._through_view(session, query)
        finally:
            self._idle.append(session)

    def _through_view(self, session: SqlClient, query: Query) -> Result:
        view = f"slt_view_{next(self._numbers)}"
        # The columns of a view have names of their own, those of a SELECT may repeat.
        columns = ", ".join(f"c{number}" for number in range(1, query.num_columns + 1))
        head = f"{view} ({columns})" if columns else view
        self._create(session, head, query)
        try:
            run_statement(session, f"CALL millrace.wait_for('{view}', 'complete', 'true', '60 s')")
            return run_statement(session, f"SELECT * FROM {view}")
        except SqlError as error:
            # An invented row may divide by zero, or be the second where a subquery must give one.
            if self._shape == "changing" and error.sqlstate[:2] in DATA_ERRORS:
                raise Undecided(error.sqlstate, error.message) from None
            raise
        finally:
            run_statement(session, f"DROP MATERIALIZED VIEW {view}")

    def _create(self, session: SqlClient, head: str, query: Query) -> None:
        # Rows that only come may also be given out once, when their window is over.
        emissions = [ON_CLOSE, ""] if self._shape == "plain" and TIMED.search(query.sql) else [""]
        for emission in emissions:
            try:
                run_statement(session, f"CREATE MATERIALIZED VIEW {head} {emission} AS {query.sql}")
                return
            except SqlError as error:
                if error.sqlstate not in REFUSED:
                    raise
                refused = Refused(error.sqlstate, error.message)
        raise refused

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for session in self._sessions:
            session.close()
        super().close()
