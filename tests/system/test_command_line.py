"""The command line on real processes: results, exit codes, and that nothing is left behind."""

import os
import pathlib
import signal
import subprocess
import time

import pytest
from support.tcp_proxy import TcpProxy
from support.waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
MILLRACE = ROOT / "build" / os.environ.get("MILLRACE_BUILD", "release") / "bin" / "millrace"
DEADLINE_S = 60


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder for everything temporary, so that what is left behind can be seen."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def millrace(*arguments, **options):
    return subprocess.run(
        [MILLRACE, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        **options,
    )


def processes_with(text):
    """Living processes whose command line names `text`: that line, and the seconds of CPU that they have used."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state, *numbers = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if text in command and state != "Z":
            found.append((command, int(numbers[10]) / os.sysconf("SC_CLK_TCK")))
    return found


def assert_nothing_left(home):
    wait_until(lambda: not processes_with(str(home)), "the end of all processes")
    wait_until(lambda: not list(home.iterdir()), "an empty temporary folder")


def test_select_one_answers_quickly_and_leaves_nothing(home):
    times = []
    for _ in range(3):
        start = time.monotonic()
        result = millrace("run", "-e", "SELECT 1 AS one", "-o", "csv")
        times.append(time.monotonic() - start)
        assert (result.returncode, result.stdout) == (0, "one\n1\n"), result.stderr
    assert min(times) < 1.0, times
    assert_nothing_left(home)


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_nothing(home, kill):
    sql = "SELECT count(*) FROM endless"
    setup = "CREATE TABLE endless (k bigint) WITH (connector = 'datagen', rows = '1000000000000');"
    process = subprocess.Popen([MILLRACE, "run", "-e", setup + sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(
        lambda: any("millrace-worker" in command and cpu_s > 0.5 for command, cpu_s in processes_with(str(home))),
        "a worker that is at work on the query",
    )
    process.send_signal(kill)
    code = process.wait(timeout=DEADLINE_S)
    assert code == (-signal.SIGKILL if kill == signal.SIGKILL else 130)
    assert_nothing_left(home)


def children_of(process, name):
    """Ids of the living children that run the program `name`."""
    found = []
    for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        try:
            program = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0].decode()
        except OSError:
            continue
        if pathlib.Path(program).name == name:
            found.append(child)
    return found


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("starting", ["millrace-coordinator", "millrace-worker"])
def test_a_run_that_is_killed_while_it_starts_leaves_nothing(home, starting, kill):
    for _ in range(3):
        process = subprocess.Popen([MILLRACE, "run", "-e", "SELECT 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # As early as it can be seen: the program is still being linked.
        wait_until(lambda: children_of(process, starting), f"a {starting} that starts", pause_s=0)  # noqa: B023
        process.send_signal(kill)
        code = process.wait(timeout=DEADLINE_S)
        assert code == (-signal.SIGKILL if kill == signal.SIGKILL else 130), process.stderr.read()
        assert_nothing_left(home)


def open_to_write(fifo):
    """None while nobody reads from it."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", [["run"], ["sql", "-f"], ["job", "submit"]], ids=" ".join)
def test_a_signal_ends_a_command_that_reads_its_script(cluster, tmp_path, verb, kill):
    script = tmp_path / "script.sql"
    os.mkfifo(script)
    environment = os.environ | {"MILLRACE_SERVER": cluster.address}
    process = subprocess.Popen([MILLRACE, *verb, str(script)], env=environment)
    try:
        writer = wait_until(lambda: open_to_write(script), "the command reads")
        process.send_signal(kill)
        code = process.wait(timeout=DEADLINE_S)
        os.close(writer)
    finally:
        process.kill()
        process.wait()
    assert code == 130


def test_a_server_that_is_slow_to_answer_is_reached(cluster):
    """Until a connection stands, there and back are needed several times."""
    proxy = TcpProxy(cluster.address)
    proxy.delay(0.3)
    result = millrace("sql", "--server", proxy.address, "-o", "csv", "-c", "SELECT 1 AS one")
    proxy.close()
    assert (result.returncode, result.stdout) == (0, "one\n1\n"), result.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "-e", "SELECT 1/0"], 3),
        (["run", "-e", "SELECT nothing"], 3),
        (["run", "-e", "SET statement_timeout = '1 ms'; SELECT count(*) FROM generate_series(1, 1000000000)"], 3),
        (["run", "no-such-script.sql"], 4),
        (["run"], 2),
        (["no-such-verb"], 2),
        (["run", "-e", "SELECT 1", "-o", "xml"], 2),
        (["sql", "-c", "SELECT 1", "--server", "127.0.0.1:1"], 7),
        (["sql", "-c", "SELECT 1", "--server", "http://127.0.0.1:1"], 2),
        (["run", "/tmp"], 4),
        (["run", "/proc/self/mem"], 1),
    ],
)
def test_exit_codes(home, arguments, code):
    result = millrace(*arguments)
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert result.stderr != ""


@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["worker", "list"], ["job", "list"]], ids=" ".join)
def test_output_that_cannot_be_written_is_an_error(cluster, arguments):
    environment = os.environ | {"MILLRACE_SERVER": cluster.address}
    with pathlib.Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [MILLRACE, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=DEADLINE_S,
            check=False,
        )
    assert (result.returncode, result.stderr) == (1, "ERROR 58030: cannot write to standard output\n")


@pytest.mark.parametrize(
    "verb",
    [
        ["sql", "-c", "SELECT 1"],
        ["job", "list"],
        ["job", "cancel", "x"],
        ["checkpoint", "list"],
        ["checkpoint", "inspect", "x"],
        ["worker", "list"],
        ["worker", "drain", "x"],
        ["health"],
    ],
    ids=" ".join,
)
def test_the_server_is_the_one_that_is_named_else_that_of_the_environment(home, monkeypatch, verb):
    monkeypatch.setenv("MILLRACE_SERVER", "127.0.0.1:1")
    for arguments, server in ((verb, "127.0.0.1:1"), ([*verb, "--server", "127.0.0.1:2"], "127.0.0.1:2")):
        result = millrace(*arguments)
        assert (result.returncode, server in result.stderr.splitlines()[0]) == (7, True), result.stderr


def test_a_job_that_failed_has_a_code_of_its_own(cluster, tmp_path):
    script = tmp_path / "job.sql"
    script.write_text("CREATE TABLE kept AS SELECT 1 AS a;\nSELECT 1 / (a - 1) FROM kept")
    submitted = millrace("job", "submit", str(script), "--name", "divides", "--wait", "--server", cluster.address)
    assert submitted.returncode == 8, submitted.stderr
    assert "division by zero" in submitted.stdout
    assert millrace("job", "watch", "divides", "--server", cluster.address).returncode == 8
    assert millrace("job", "get", "divides", "--server", cluster.address).returncode == 0
    assert millrace("sql", "--server", cluster.address, "-c", "DROP TABLE kept").returncode == 0


def test_an_error_points_to_its_place(home):
    result = millrace("run", "-e", "SELECT carier\nFROM (SELECT 'AA' AS carrier) f")
    assert "ERROR 42703" in result.stderr
    assert "LINE 1: SELECT carier\n               ^\n" in result.stderr
    assert "carrier" in result.stderr.split("HINT", 1)[1]


def test_a_script_that_is_no_utf8_is_refused(home, tmp_path):
    script = tmp_path / "latin1.sql"
    script.write_bytes(b"SELECT 'caf\xe9'")
    result = millrace("run", str(script))
    assert result.returncode == 3
    assert "ERROR 22021: the statement is not valid UTF-8" in result.stderr


def test_a_script_may_begin_with_a_byte_order_mark(home, tmp_path):
    script = tmp_path / "marked.sql"
    script.write_text("SELECT 1 AS one", encoding="utf-8-sig")
    result = millrace("run", "-o", "csv", str(script))
    assert (result.returncode, result.stdout) == (0, "one\n1\n"), result.stderr


def test_keep_going_prints_errors_in_their_place(home):
    result = millrace("run", "--keep-going", "-o", "csv", "-e", "SELECT 1 AS a; SELECT 1/0; SELECT 2 AS b")
    assert result.stdout == "a\n1\nERROR 22012: division by zero\nb\n2\n"
    assert result.returncode == 3


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", 'i,t,n\n1,"a,""b""",\n2,"",0.50\n'),
        ("jsonl", '{"i":1,"t":"a,\\"b\\"","n":null}\n{"i":2,"t":"","n":0.50}\n'),
        ("json", '[\n{"i":1,"t":"a,\\"b\\"","n":null},\n{"i":2,"t":"","n":0.50}\n]\n'),
        (
            "table",
            ' i |   t   |  n\n---+-------+------\n 1 | a,"b" |\n 2 |       | 0.50\n(2 rows)\n',
        ),
    ],
)
def test_output_forms(home, form, expected):
    sql = """SELECT * FROM (VALUES (1, 'a,"b"', NULL), (2, '', 0.50)) v(i, t, n) ORDER BY i"""
    result = millrace("run", "-o", form, "-e", sql)
    assert result.stdout == expected, result.stderr


def test_statements_without_rows_print_nothing(home):
    result = millrace("run", "-e", "CREATE TABLE t (a integer); INSERT INTO t VALUES (1); DROP TABLE t")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_a_run_that_waited_for_a_view_leaves_whole_files(home, tmp_path):
    """The cluster ends with the script: what the view's job writes outside must be committed by then."""
    source = tmp_path / "ticks.csv"
    times = "".join(f"{i},2024-01-01 00:{i // 60:02}:{i % 60:02}\n" for i in range(3000))
    source.write_text("i,at\n" + times)
    out = tmp_path / "out"
    script = f"""
        CREATE TABLE ticks (i int, at timestamp, WATERMARK FOR at AS at - INTERVAL '1 second')
          WITH (connector = 'file', path = '{source}', rows_per_second = '3000');
        CREATE TABLE closed () WITH (connector = 'file', path = '{out}/', format = 'csv', header = 'false');
        CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM ticks;
        INSERT INTO closed SELECT window_start, count(*) FROM tumble(ticks, at, INTERVAL '1 minute')
          GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
        CALL millrace.wait_for('counts', 'complete', 'true', '60 s');
        SELECT n FROM counts"""
    result = millrace("run", "-e", script, "-o", "csv", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "n\n3000\n"), result.stderr
    files = list(out.glob("part-*"))
    assert files, "no file was written"
    assert not list(out.glob("_staging*"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(lines) == 50
    assert_nothing_left(home)


def test_runs_that_insert_into_one_folder_add_to_it(home, tmp_path):
    script = f"""CREATE TABLE o (x int) WITH (connector = 'file', path = '{tmp_path}/o/', format = 'csv');
        INSERT INTO o SELECT g FROM generate_series(1, 5) t(g); SELECT count(*) AS n FROM o"""
    for rows in (5, 10):
        result = millrace("run", "-e", script, "-o", "csv")
        assert (result.returncode, result.stdout) == (0, f"n\n{rows}\n"), result.stderr
