"""COPY against PostgreSQL: the same files, the same rows, the same refusals."""

import pathlib
import subprocess
import tempfile

import psycopg
import pytest
from support.sql_client import StatementFailed, rows_of

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "support" / "postgres.sh"
COLUMNS = "i integer, t text, n numeric(8, 2), b boolean, d date, ts timestamp"
ROWS = """(1, 'plain', 1.50, true, DATE '2024-02-29', TIMESTAMP '2024-01-01 10:00:00.25'),
          (2, '', 0, false, NULL, NULL), (3, NULL, NULL, NULL, NULL, NULL),
          (4, 'a,b;c|d', -12.25, true, DATE '1999-12-31', NULL), (5, 'say "hi"', 3, NULL, NULL, NULL),
          (6, E'two\\nlines', 4, NULL, NULL, NULL), (7, 'NA', 5, NULL, NULL, NULL),
          (8, E'back\\\\slash', 6, NULL, NULL, NULL), (9, '''quoted''', 7, NULL, NULL, NULL),
          (10, ' spaces ', 8, NULL, NULL, NULL),
          (11, 'ünïcode €', 9, NULL, NULL, NULL), (12, E'tab\\there', 10, NULL, NULL, NULL)"""

WRITTEN = [
    "FORMAT csv",
    "FORMAT csv, HEADER",
    "FORMAT csv, HEADER false, DELIMITER ';'",
    "FORMAT csv, DELIMITER E'\\t', NULL 'NA'",
    "FORMAT csv, QUOTE ''''",
    "FORMAT csv, ESCAPE '\\'",
    "FORMAT csv, QUOTE '|', ESCAPE '|', NULL '-'",
    "FORMAT csv, NULL 'none', HEADER on, DELIMITER '|'",
]


@pytest.fixture(scope="module")
def postgres():
    # Not pytest's folder: the server's user must be able to enter it.
    with tempfile.TemporaryDirectory(prefix="millrace-copy-", ignore_cleanup_errors=True) as folder:
        pathlib.Path(folder).chmod(0o777)
        server = str(pathlib.Path(folder) / "server")
        started = subprocess.run([SCRIPT, "start", server], check=True, stdout=subprocess.PIPE, text=True)
        url = f"host=127.0.0.1 port={int(started.stdout)} user=mr dbname=postgres"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET standard_conforming_strings = on")
            yield connection
        subprocess.run([SCRIPT, "stop", server], check=True)


@pytest.fixture
def tables(client, postgres):
    """The table `source` with rows, and `target` without, on both sides."""
    for execute in (client.execute, postgres.execute):
        execute("DROP TABLE IF EXISTS source")
        execute("DROP TABLE IF EXISTS target")
        execute(f"CREATE TABLE source ({COLUMNS})")
        execute(f"CREATE TABLE target ({COLUMNS})")
        execute(f"INSERT INTO source VALUES {ROWS}")


def both(client, postgres, query):
    return rows_of(client.execute(query)), postgres.execute(query).fetchall()


@pytest.mark.parametrize("options", WRITTEN)
def test_files_are_written_byte_by_byte_as_by_postgres(client, postgres, tables, tmp_path, options):
    statement = "COPY (SELECT * FROM source ORDER BY i) TO"
    client.execute(f"{statement} '{tmp_path}/ours.csv' ({options})")
    with postgres.cursor().copy(f"{statement} STDOUT ({options})") as copy:
        theirs = b"".join(bytes(part) for part in copy)
    assert (tmp_path / "ours.csv").read_bytes() == theirs


@pytest.mark.parametrize("options", WRITTEN)
def test_files_are_read_as_by_postgres(client, postgres, tables, tmp_path, options):
    with postgres.cursor().copy(f"COPY source TO STDOUT ({options})") as copy:
        written = b"".join(bytes(part) for part in copy)
    (tmp_path / "theirs.csv").write_bytes(written)
    assert client.execute(f"COPY target FROM '{tmp_path}/theirs.csv' ({options})")[-1].rows == 12
    with postgres.cursor().copy(f"COPY target FROM STDIN ({options})") as copy:
        copy.write(written)
    ours, theirs = both(client, postgres, "SELECT i, t, n, b, d, ts FROM target ORDER BY i")
    assert ours == theirs


# Text, options and columns of COPY; what PostgreSQL makes of it is the oracle, errors too.
TEXTS = {
    "empty is NULL": ("1,,2\n", "", ""),
    "quoted empty is text": ('1,"",2\n', "", ""),
    "another NULL leaves empty text": ("1,,2\n", ", NULL 'x'", ""),
    "another NULL is no number": ("1,a,\n", ", NULL 'x'", ""),
    "quoted NULL string is text": ('1,"NA",2\n', ", NULL 'NA'", ""),
    "column list": ("a,1\nb,2\n", "", "(t, i)"),
    "carriage returns": ("1,a,2\r\n2,b,3\r\n", "", ""),
    "no line end at the end": ("1,a,2\n2,b,3", "", ""),
    "quotes in the middle": ('1,a"b,"c,2\n', "", ""),
    "escape": ('1,"a\\"b",2\n', ", ESCAPE '\\'", ""),
    "line break in quotes": ('1,"a\nb",2\n', "", ""),
    "too few fields": ("1,a,2\n2,b\n", "", ""),
    "too many fields": ("1,a,2\n2,b,3,4\n", "", ""),
    "not a number": ("1,a,2\n2,b,3\nx,c,4\n", "", ""),
    "too large": ("99999999999,a,2\n", "", ""),
    "numeric overflow": ("1,a,1234567\n", "", ""),
    "varchar overflow": ("1,toolongtext,2\n", "", ""),
    "open quote": ('1,"a,2\n', "", ""),
    "unknown column": ("1\n", "", "(nosuch)"),
    "column twice": ("1,2\n", "", "(i, i)"),
    "delimiter of two characters": ("1\n", ", DELIMITER ',,'", ""),
    "delimiter is the quote": ("1\n", ", DELIMITER '\"'", ""),
    "NULL with the delimiter": ("1\n", ", NULL 'a,b'", ""),
    "unknown option": ("1\n", ", NOSUCH 1", ""),
    "option twice": ("1\n", ", QUOTE 'a', QUOTE 'b'", ""),
}
# The codes that differ, with PostgreSQL's.
NEIGHBOURS = {
    "delimiter of two characters": ("22023", "0A000"),
    "unknown option": ("22023", "42601"),
}


def attempt(call):
    try:
        return None, call()
    except StatementFailed as error:
        return error.sqlstate, error.message
    except psycopg.Error as error:
        return error.sqlstate, f"{error} {error.diag.context}"


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_read_and_what_is_refused_is_as_in_postgres(client, postgres, tmp_path, name):
    text, options, columns = TEXTS[name]
    for execute in (client.execute, postgres.execute):
        execute("DROP TABLE IF EXISTS small")
        execute("CREATE TABLE small (i integer, t varchar(6), n numeric(6, 1))")
    (tmp_path / "small.csv").write_text(text)

    def copy_theirs():
        with postgres.cursor().copy(f"COPY small {columns} FROM STDIN (FORMAT csv{options})") as copy:
            copy.write(text)

    ours = attempt(lambda: client.execute(f"COPY small {columns} FROM '{tmp_path}/small.csv' (FORMAT csv{options})"))
    theirs = attempt(copy_theirs)
    assert (ours[0], theirs[0]) == NEIGHBOURS.get(name, (theirs[0], theirs[0])), (ours, theirs)
    if theirs[0] is not None and ", line " in str(theirs[1]):
        line = str(theirs[1]).split(", line ")[1].split(",")[0].split(":")[0]
        assert f"line {line}" in ours[1], (ours, theirs)
    mine, their = both(client, postgres, "SELECT i, t, n FROM small ORDER BY i")
    assert mine == their


@pytest.mark.parametrize("file_format", ["parquet", "json", "csv"])
def test_every_format_gives_back_what_it_was_given(client, tables, tmp_path, file_format):
    path = tmp_path / f"all.{file_format}"
    header = ", HEADER" if file_format == "csv" else ""
    client.execute(f"COPY source TO '{path}' (FORMAT {file_format}{header})")
    client.execute(f"COPY target FROM '{path}' (FORMAT {file_format}{header})")
    query = "SELECT i, t, n, b, d, ts FROM {} ORDER BY i"
    assert rows_of(client.execute(query.format("target"))) == rows_of(client.execute(query.format("source")))


def test_copy_of_nothing(client, tables, tmp_path):
    assert client.execute(f"COPY target TO '{tmp_path}/none.csv' (FORMAT csv, HEADER)")[-1].rows == 0
    assert (tmp_path / "none.csv").read_text() == "i,t,n,b,d,ts\n"
    assert client.execute(f"COPY target FROM '{tmp_path}/none.csv' (FORMAT csv, HEADER)")[-1].rows == 0


def test_relative_paths_begin_at_the_client_s_folder(client, tmp_path):
    (tmp_path / "rows.csv").write_text("7\n")
    client.working_directory = str(tmp_path)
    client.execute("CREATE TABLE near (a integer); COPY near FROM 'rows.csv'; COPY near TO 'written.csv'")
    assert (tmp_path / "written.csv").read_text() == "7\n"
    client.execute("DROP TABLE near")
