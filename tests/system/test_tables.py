"""Stored tables on real processes: views follow them exactly, statements are atomic, files come and go in time."""

import pathlib
import random
import threading
import time

import pytest
from comparison import assert_same_rows
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

DEADLINE_S = 90

# Views over the tables `orders` and `items` and what they hold, as one and the same query.
VIEWS = {
    "joined": """SELECT o.customer, count(*) AS n, sum(i.amount) AS total, max(i.amount) AS most
                 FROM orders o JOIN items i ON o.id = i.order_id GROUP BY o.customer""",
    "outer_joined": """SELECT o.id, o.customer, i.amount FROM orders o LEFT JOIN items i ON o.id = i.order_id""",
    "totals": "SELECT count(*) AS n, sum(amount) AS total FROM items",
    "filtered": "SELECT id, customer FROM orders WHERE id % 3 = 0",
    "top": "SELECT order_id, amount FROM items ORDER BY amount DESC, order_id LIMIT 5",
}


@pytest.fixture
def other(cluster):
    connection = SqlClient(cluster.address)
    yield connection
    connection.close()


@pytest.fixture
def drop(client):
    """Names of tables that go at the end, with all that reads them."""
    names: list[str] = []
    yield names
    for name in names:
        client.execute(f"DROP TABLE IF EXISTS {name} CASCADE")


def define_orders(client, drop):
    client.execute("CREATE TABLE orders (id integer, customer text)")
    client.execute("CREATE TABLE items (order_id integer, amount bigint)")
    drop += ["orders", "items"]


def assert_views_are_their_queries(client, views=VIEWS, where=""):
    client.execute("FLUSH")
    for name in views:
        seen = rows_of(client.execute(f"SELECT * FROM {name}"))
        assert_same_rows(seen, rows_of(client.execute(VIEWS[name])), f"{name} {where}")


def insert_randomly(client, generator, step):
    """One statement: some rows of VALUES, or of a query over what is there, into one of the tables."""
    if generator.random() < 0.5:
        rows = [f"({generator.randrange(60)}, 'c{generator.randrange(8)}')" for _ in range(generator.randrange(1, 9))]
        rows.append("(NULL, NULL)") if generator.random() < 0.2 else None
        client.execute(f"INSERT INTO orders VALUES {', '.join(rows)}")
    elif generator.random() < 0.8:
        number = generator.randrange(1, 9)
        rows = [f"({generator.randrange(60)}, {generator.randrange(-50, 50)})" for _ in range(number)]
        client.execute(f"INSERT INTO items (order_id, amount) VALUES {', '.join(rows)}")
    else:
        client.execute(f"INSERT INTO items SELECT order_id + 1, amount + {step} FROM items WHERE amount > 30")


@pytest.mark.parametrize("parallelism", [1, 4])
def test_views_over_two_tables_equal_their_queries_after_each_flush(client, drop, parallelism):
    generator = random.Random(parallelism)
    define_orders(client, drop)
    client.execute(f"SET parallelism = {parallelism}")
    for step in range(6):
        insert_randomly(client, generator, step)
    for name, query in VIEWS.items():
        results = client.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")
        assert results[-1].notices == []
        # What was there is in the first epoch, without a FLUSH.
        assert_same_rows(rows_of(client.execute(f"SELECT * FROM {name}")), rows_of(client.execute(query)), name)
    for step in range(25):
        for _ in range(generator.randrange(1, 4)):
            insert_randomly(client, generator, step)
        assert_views_are_their_queries(client, where=f"after step {step}")


def test_copy_into_a_table_is_seen_in_its_views(client, drop, tmp_path):
    define_orders(client, drop)
    client.execute(f"CREATE MATERIALIZED VIEW totals AS {VIEWS['totals']}")
    (tmp_path / "items.csv").write_text("order_id,amount\n" + "".join(f"{i},{i * 2}\n" for i in range(5000)))
    client.execute(f"COPY items FROM '{tmp_path}/items.csv'; FLUSH")
    assert rows_of(client.execute("SELECT * FROM totals")) == [(5000, 5000 * 4999)]


def test_a_statement_is_seen_whole_or_not_at_all(client, other, drop):
    client.execute("CREATE TABLE transfers (account integer, amount bigint)")
    drop.append("transfers")
    client.execute("SET epoch_interval = '20 ms'")
    client.execute("CREATE MATERIALIZED VIEW balance AS SELECT sum(amount) AS total, count(*) AS n FROM transfers")
    client.execute(
        "CREATE MATERIALIZED VIEW by_account AS SELECT account, sum(amount) AS s FROM transfers GROUP BY account"
    )
    stop = threading.Event()
    errors = []

    def write():
        generator = random.Random(3)
        while not stop.is_set():
            rows = []
            for _ in range(generator.randrange(1, 40)):
                amount = generator.randrange(1, 1000)
                rows += [f"({generator.randrange(50)}, {amount})", f"({generator.randrange(50)}, {-amount})"]
            other.execute(f"INSERT INTO transfers VALUES {', '.join(rows)}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = set()
        deadline = time.monotonic() + DEADLINE_S
        while len(counts) < 25 and time.monotonic() < deadline:
            # One cut: both views show the same transfers.
            total, count, parts = rows_of(
                client.execute("SELECT b.total, b.n, (SELECT sum(s) FROM by_account) FROM balance b")
            )[0]
            if count:
                errors += [] if (total, parts) == (0, 0) else [(total, parts)]
                counts.add(count)
    finally:
        stop.set()
        writer.join()
    assert errors == []
    assert len(counts) >= 25


def test_a_dimension_that_changes_changes_the_join(client, drop, tmp_path):
    (tmp_path / "clicks.csv").write_text("page,n\n" + "".join(f"{i % 10},{i}\n" for i in range(1000)))
    client.execute(
        f"CREATE TABLE clicks (page integer, n bigint) WITH (connector = 'file', path = '{tmp_path}/clicks.csv')"
    )
    client.execute("CREATE TABLE pages (page integer, title text); INSERT INTO pages VALUES (1, 'one'), (2, 'two')")
    drop += ["pages", "clicks"]
    query = """SELECT p.title, count(*) AS clicks, sum(c.n) AS s
               FROM clicks c LEFT JOIN pages p USING (page) GROUP BY p.title"""
    client.execute(f"CREATE MATERIALIZED VIEW per_title AS {query}")
    client.execute("CALL millrace.wait_for('per_title', 'complete', '60 s')")
    for values in ("(3, 'three')", "(4, 'four'), (4, 'vier')", "(99, 'nobody')"):
        assert_same_rows(rows_of(client.execute("SELECT * FROM per_title")), rows_of(client.execute(query)), values)
        client.execute(f"INSERT INTO pages VALUES {values}; FLUSH")
    assert_same_rows(rows_of(client.execute("SELECT * FROM per_title")), rows_of(client.execute(query)), "at the end")
    # The files have ended and the table never does: complete is what there was when it was asked.
    client.execute("INSERT INTO pages VALUES (5, 'five'); CALL millrace.wait_for('per_title', 'complete', '60 s')")
    assert_same_rows(rows_of(client.execute("SELECT * FROM per_title")), rows_of(client.execute(query)), "complete")


def test_tables_that_do_not_change_make_no_epochs(client, drop):
    define_orders(client, drop)
    client.execute("SET epoch_interval = '50 ms'; SET checkpoint_interval = '200 ms'")
    client.execute(f"CREATE MATERIALIZED VIEW totals AS {VIEWS['totals']}")
    client.execute("INSERT INTO items VALUES (1, 1)")

    def epochs():
        query = "SELECT published_epoch, durable_epoch FROM millrace.jobs WHERE name = 'totals'"
        return rows_of(client.execute(query))[0]

    def stand_still():
        before = epochs()
        # Twenty intervals in which something could happen and must not.
        time.sleep(1)
        return epochs() == before

    def durable_behind(epoch):
        wait_until(lambda: epochs()[1] > epoch, lambda: f"a checkpoint behind epoch {epoch}: {epochs()}")

    # An epoch without rows may have been under way when the checkpoint was taken.
    durable_behind(0)
    wait_until(stand_still, lambda: f"no more epochs: {epochs()}")
    published = epochs()[0]
    client.execute("INSERT INTO items VALUES (1, 5); FLUSH")
    assert rows_of(client.execute("SELECT * FROM totals")) == [(2, 6)]
    # The first epoch after the silence is the one with the row.
    durable_behind(published)
    wait_until(stand_still, lambda: f"no more epochs: {epochs()}")


def test_rows_can_be_waited_for(client, drop):
    define_orders(client, drop)
    client.execute("INSERT INTO items VALUES (1, 1), (2, 2)")
    client.execute(f"CREATE MATERIALIZED VIEW totals AS {VIEWS['totals']}")
    client.execute("INSERT INTO items VALUES (3, 3); CALL millrace.wait_for('totals', 'rows', 3, '60 s')")
    assert rows_of(client.execute("SELECT * FROM totals")) == [(3, 6)]


def test_rows_that_come_after_the_wait_began_are_waited_for(cluster, client, drop):
    define_orders(client, drop)
    client.execute("INSERT INTO items VALUES (1, 1)")
    client.execute(f"CREATE MATERIALIZED VIEW totals AS {VIEWS['totals']}; FLUSH")
    # What is there has been read, but a stored table does not end.
    with pytest.raises(StatementFailed, match="wait") as late:
        client.execute("CALL millrace.wait_for('totals', 'rows', 2, '300 ms')")
    assert late.value.sqlstate != "55000"
    other = SqlClient(cluster.address)
    writer = threading.Thread(target=lambda: other.execute("INSERT INTO items VALUES (2, 2)"))
    writer.start()
    client.execute("CALL millrace.wait_for('totals', 'rows', 2, '60 s')")
    writer.join()
    other.close()
    assert rows_of(client.execute("SELECT * FROM totals")) == [(2, 3)]


def test_drop_names_what_reads_the_table(client, drop):
    define_orders(client, drop)
    client.execute(f"CREATE MATERIALIZED VIEW totals AS {VIEWS['totals']}")
    client.execute("CREATE VIEW plain AS SELECT * FROM items")
    with pytest.raises(StatementFailed, match="view plain, materialized view totals depend on it") as refused:
        client.execute("DROP TABLE items")
    assert refused.value.sqlstate == "2BP01"
    client.execute("DROP TABLE items CASCADE")
    with pytest.raises(StatementFailed, match="does not exist"):
        client.execute("SELECT * FROM totals")


def segment_files(cluster) -> list[pathlib.Path]:
    return sorted(cluster.data_dir.rglob("tables/*/*"))


def test_a_statement_reads_a_table_that_is_dropped_meanwhile_to_its_end(cluster, client, other, drop):
    client.execute(
        """CREATE TABLE counting (a bigint) WITH (connector = 'datagen', rows = '3000000', "a.kind" = 'sequence',
                                                  "a.min" = '1')"""
    )
    client.execute("CREATE TABLE big AS SELECT a FROM counting")
    drop += ["big", "counting"]
    files = segment_files(cluster)
    assert files
    outcome = {}

    def read():
        try:
            outcome["rows"] = rows_of(
                other.execute("SELECT count(*), sum(x.a) FROM big x JOIN big y ON x.a = y.a JOIN big z ON x.a = z.a")
            )
        except StatementFailed as error:
            outcome["error"] = error

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: rows_of(client.execute("SELECT count(*) FROM millrace.tasks"))[0][0], "tasks of the reader")
    client.execute("DROP TABLE big")
    reader.join()
    assert outcome == {"rows": [(3000000, 3000000 * 3000001 // 2)]}
    wait_until(lambda: not any(file.exists() for file in files), "the end of a dropped table's files")


def test_inserts_at_once_are_all_there(cluster, client, drop):
    client.execute("CREATE TABLE counted (writer integer, n integer)")
    drop.append("counted")
    client.execute(
        "CREATE MATERIALIZED VIEW per_writer AS SELECT writer, count(*) AS n, sum(n) AS s FROM counted GROUP BY writer"
    )
    writers, inserts = 6, 30
    failures = []

    def write(writer):
        connection = SqlClient(cluster.address)
        try:
            for n in range(inserts):
                connection.execute(f"INSERT INTO counted VALUES ({writer}, {n})")
        except StatementFailed as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    expected = [(writer, inserts, inserts * (inserts - 1) // 2) for writer in range(writers)]
    client.execute("FLUSH")
    assert sorted(rows_of(client.execute("SELECT * FROM per_writer"))) == expected
    assert rows_of(client.execute("SELECT count(*) FROM counted")) == [(writers * inserts,)]


def test_many_small_inserts_are_compacted(cluster, client, drop):
    before = set(segment_files(cluster))
    client.execute("CREATE TABLE drops (n integer, word text)")
    drop.append("drops")
    for n in range(300):
        client.execute(f"INSERT INTO drops VALUES ({n}, 'w{n % 7}')")
    query = "SELECT count(*), sum(n), min(n), max(n), count(DISTINCT word) AS words FROM drops"
    expected = [(300, 300 * 299 // 2, 0, 299, 7)]
    assert rows_of(client.execute(query)) == expected
    wait_until(lambda: len(set(segment_files(cluster)) - before) <= 64, "the end of the small segments")
    assert rows_of(client.execute(query)) == expected


def test_insert_fills_in_defaults(client, drop):
    client.execute(
        """CREATE TABLE filled (id integer, word text DEFAULT 'none', n numeric(6, 2) DEFAULT 1 + 0.5,
                                at timestamptz DEFAULT now(), plain integer)"""
    )
    drop.append("filled")
    client.execute("INSERT INTO filled (id) VALUES (1)")
    client.execute("INSERT INTO filled VALUES (2, DEFAULT, DEFAULT), (3, 'x', 7.125)")
    client.execute("INSERT INTO filled (plain, id) SELECT id * 10, id + 3 FROM filled WHERE id = 1")
    client.execute("INSERT INTO filled DEFAULT VALUES")
    rows = rows_of(
        client.execute("SELECT id, word, n::text, at > now() - INTERVAL '1 hour' AS new, plain FROM filled ORDER BY id")
    )
    assert rows == [
        (1, "none", "1.50", True, None),
        (2, "none", "1.50", True, None),
        (3, "x", "7.13", True, None),
        (4, "none", "1.50", True, 10),
        (None, "none", "1.50", True, None),
    ]


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("INSERT INTO typed (v) VALUES ('toolong')", "22001"),
        ("INSERT INTO typed (n) VALUES (12345)", "22003"),
        ("INSERT INTO typed (i) VALUES ('x')", "22P02"),
        ("INSERT INTO typed (i) VALUES (3000000000)", "22003"),
        ("INSERT INTO typed (v) SELECT 'too' || 'long'", "22001"),
        ("INSERT INTO typed (n) SELECT 12345::bigint", "22003"),
        ("INSERT INTO typed (i) VALUES (1), (1/0)", "22012"),
    ],
)
def test_a_failed_insert_leaves_nothing(cluster, client, drop, statement, sqlstate):
    client.execute("CREATE TABLE IF NOT EXISTS typed (i integer, v varchar(3), n numeric(4, 1))")
    drop.append("typed")
    before = set(segment_files(cluster))
    with pytest.raises(StatementFailed) as failed:
        client.execute(statement)
    assert failed.value.sqlstate == sqlstate
    assert rows_of(client.execute("SELECT count(*) FROM typed")) == [(0,)]
    assert set(segment_files(cluster)) - before == set()


def test_an_insert_of_a_table_into_itself_doubles_it(client, drop):
    client.execute("CREATE TABLE doubled (n bigint); INSERT INTO doubled VALUES (1), (2)")
    drop.append("doubled")
    client.execute("CREATE MATERIALIZED VIEW doubled_sum AS SELECT count(*) AS c, sum(n) AS s FROM doubled")
    for power in range(1, 8):
        assert client.execute("INSERT INTO doubled SELECT n FROM doubled")[-1].rows == 2**power
    client.execute("INSERT INTO doubled SELECT n FROM doubled WHERE n > 5; FLUSH")
    assert rows_of(client.execute("SELECT * FROM doubled_sum")) == [(256, 384)]
