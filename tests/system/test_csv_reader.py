"""CSV files cut anywhere, against Python's csv module."""

import csv
import gzip
import io
import random
import subprocess

import pytest
from support.sql_client import StatementFailed, rows_of

ALPHABET = ["a", "b", ",", '"', "'", "é", "€", "\t", " ", "\\", "x" * 40]


def random_rows(generator, num_rows, line_breaks):
    alphabet = ALPHABET + (["\n", "\r\n"] if line_breaks else [])
    for _ in range(num_rows):
        yield [
            "".join(generator.choice(alphabet) for _ in range(generator.randrange(generator.choice([1, 4, 30]))))
            for _ in range(3)
        ]


def read(client, path, options, columns="a text, b text, c text"):
    client.execute(f"CREATE TABLE cut ({columns}) WITH (connector = 'file', path = '{path}', header = false{options})")
    try:
        return rows_of(client.execute("SELECT * FROM cut"))
    finally:
        client.execute("DROP TABLE cut")


def expected(text):
    # Python's csv knows no NULL; ours is a field that is empty and not quoted.
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize("seed", range(12))
def test_random_files_and_split_sizes(client, tmp_path, seed):
    generator = random.Random(seed)
    line_breaks = seed % 3 == 0
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        lineterminator=generator.choice(["\n", "\r\n"]),
        quoting=generator.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    )
    rows = list(random_rows(generator, 400, line_breaks))
    writer.writerows(rows)
    text = out.getvalue()
    if generator.random() < 0.5:
        text = text.rstrip("\r\n")  # The last line end is missing.
    assert expected(text) == [tuple(row) for row in rows]
    path = tmp_path / "t.csv"
    path.write_bytes((b"\xef\xbb\xbf" if generator.random() < 0.5 else b"") + text.encode())
    for _ in range(4):
        size = generator.choice([1, 7, 64, 500, 4096, 1 << 20])
        options = f", split_size = '{size} B'" + (", multiline = true" if line_breaks else "")
        actual = [tuple("" if value is None else value for value in row) for row in read(client, path, options)]
        assert sorted(actual) == sorted(tuple(row) for row in rows), f"split_size {size}"


@pytest.mark.parametrize("tool", ["gzip", "zstd"])
def test_compressed_files(client, tmp_path, tool):
    generator = random.Random(5)
    out = io.StringIO(newline="")
    rows = list(random_rows(generator, 3000, True))
    csv.writer(out).writerows(rows)
    path = tmp_path / "t.csv"
    if tool == "gzip":
        path = tmp_path / "t.csv.gz"
        data = out.getvalue().encode()
        # Two members, as concatenated files have them.
        path.write_bytes(gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]))
    else:
        pa = pytest.importorskip("pyarrow")
        path = tmp_path / "t.csv.zst"
        path.write_bytes(pa.compress(out.getvalue().encode(), codec="zstd", asbytes=True))
    actual = [
        tuple("" if value is None else value for value in row) for row in read(client, path, ", split_size = '100 B'")
    ]
    assert sorted(actual) == sorted(tuple(row) for row in rows)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StatementFailed) as failure:
        read(client, path, "")
    assert str(path) in failure.value.message


def test_a_field_of_fifty_megabytes(client, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text('1,"' + "x\n" * 25_000_000 + '",z\n2,b,c\n')
    client.execute(
        f"""CREATE TABLE long (a text, b text, c text)
            WITH (connector = 'file', path = '{path}', header = false, multiline = true)"""
    )
    try:
        assert sorted(rows_of(client.execute("SELECT a, length(b), c FROM long"))) == [
            ("1", 50_000_000, "z"),
            ("2", 1, "c"),
        ]
    finally:
        client.execute("DROP TABLE long")


@pytest.mark.parametrize(
    ("text", "options", "sqlstate", "words"),
    [
        ("1,2,3\n4,5\n", "", "22P04", ["t.csv line 2", '"c"']),
        ("1,2,3\n4,5,6,7\n", "", "22P04", ["t.csv line 2", "extra data"]),
        ('1,2,3\n4,"5,6\n', "", "22P04", ["t.csv", "unterminated quoted field"]),
        ("1,2,3\n4,5\udcff,6\n", "", "22021", ["t.csv line 2", '"b"']),
        ("1,2,3\n" + '4,"' + "x" * 40 + "\n" + 'y",6\n', ", split_size = '20 B'", "", []),
    ],
)
def test_what_is_wrong_is_said(client, tmp_path, text, options, sqlstate, words):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    if not sqlstate:
        assert len(read(client, path, options)) == 2
        return
    with pytest.raises(StatementFailed) as failure:
        read(client, path, options)
    assert failure.value.sqlstate == sqlstate, failure.value
    assert failure.value.hint
    for word in words:
        assert word in failure.value.message


def test_null_and_the_empty_string_differ(client, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,,"",\n\n"",b,NULL\n'.replace(",\n\n", "\n\n"))
    assert read(client, path, ", null = 'NULL'") == [("a", None, ""), ("", "b", None)]


def test_empty_files_folders_and_patterns(client, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    assert read(client, empty, "") == []
    (tmp_path / "folder").mkdir()
    assert read(client, tmp_path / "folder", ", format = 'csv'") == []
    with pytest.raises(StatementFailed) as failure:
        read(client, f"{tmp_path}/*.nothing.csv", "")
    assert failure.value.sqlstate == "58P01"
    assert "*.nothing.csv" in failure.value.message
    with pytest.raises(StatementFailed) as failure:
        read(client, tmp_path / "gone.csv", "")
    assert failure.value.sqlstate == "58P01"
    header = tmp_path / "header.csv"
    header.write_text("a,b,c\n")
    client.execute(f"CREATE TABLE named (a text, x text) WITH (connector = 'file', path = '{header}', header = true)")
    try:
        with pytest.raises(StatementFailed) as failure:
            client.execute("SELECT * FROM named")
        assert "header" in failure.value.message
        assert '"x"' in failure.value.message
    finally:
        client.execute("DROP TABLE named")


def test_a_file_that_changes_while_it_is_read_is_noticed(client, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{i}\n" for i in range(5000)))
    client.execute(
        f"""CREATE TABLE slow (a bigint)
            WITH (connector = 'file', path = '{tmp_path}/*.csv', header = false, rows_per_second = '2000')"""
    )
    (tmp_path / "u.csv").write_text("1\n")
    (tmp_path / "v.csv").write_text("1\n")
    subprocess.run(["true"], check=True)
    try:
        client.execute("SET parallelism = 1; CREATE MATERIALIZED VIEW slow_seen AS SELECT count(*) AS n FROM slow")
        (tmp_path / "v.csv").write_text("1\n2\n")
        with pytest.raises(StatementFailed) as failure:
            client.execute("CALL millrace.wait_for('slow_seen', 'complete', 0, INTERVAL '60 seconds')")
        assert "v.csv" in failure.value.message
        assert "changed" in failure.value.message
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS slow_seen; DROP TABLE slow; RESET parallelism")
