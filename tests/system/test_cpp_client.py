"""client/cpp: the example on a real cluster, and the library as a stranger builds it."""

import os
import re
import subprocess

import pytest
from conftest import BUILD, ROOT
from support.sql_client import StatementFailed

EXAMPLE = BUILD / "bin" / "millrace-client-example"
GUIDE = ROOT / "docs" / "guides" / "use_the_cpp_client.md"
DEADLINE_S = 120
NUM_ROWS = 20_000


@pytest.fixture
def script(client, tmp_path):
    """A job of three steps, the last one a stream."""
    (tmp_path / "facts.csv").write_text("k,v\n" + "".join(f"{row % 7},{row}\n" for row in range(NUM_ROWS)))
    path = tmp_path / "job.sql"
    path.write_text(
        f"""CREATE TABLE facts (k integer, v bigint) WITH (connector = 'file', path = '{tmp_path}/facts.csv');
            CREATE TABLE sums AS SELECT k, sum(v) AS total FROM facts GROUP BY k;
            CREATE MATERIALIZED VIEW counts AS SELECT k, count(*) AS n FROM facts GROUP BY k;"""
    )
    yield path
    for statement in ("MATERIALIZED VIEW counts", "TABLE sums", "TABLE facts"):
        try:
            client.execute(f"DROP {statement}")
        except StatementFailed as error:
            assert error.sqlstate in ("42P01", "42704"), error


def example(*arguments, program=EXAMPLE, **environment):
    return subprocess.run(
        [program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, **environment},
    )


QUERY = "SELECT s.k, s.total, c.n FROM sums s JOIN counts c ON c.k = s.k ORDER BY s.k"
TOTALS = [sum(range(key, NUM_ROWS, 7)) for key in range(7)]


def assert_example_works(done):
    assert done.returncode == 0, done.stderr
    assert re.search(r"^job \d+ is running", done.stderr, re.M), done.stderr
    assert re.search(r"^job \d+ is finished$", done.stderr, re.M), done.stderr
    assert done.stderr.endswith("\n7 rows\n")
    numbers = [int(number) for number in re.findall(r"^\s+(\d+),?$", done.stdout, re.M)]
    assert [number for number in numbers if number in TOTALS] == TOTALS, done.stdout


def test_the_example_submits_follows_and_reads(cluster, script):
    assert_example_works(example(str(script), QUERY, cluster.address))


def test_the_server_comes_from_the_environment(cluster, script):
    assert_example_works(example(str(script), QUERY, MILLRACE_SERVER=cluster.address))


def test_errors_have_a_place_and_a_code(cluster, tmp_path):
    broken = tmp_path / "broken.sql"
    broken.write_text("SELECT FROM WHERE")
    done = example(str(broken), "SELECT 1", cluster.address)
    assert done.returncode == 1
    assert re.search(r"^42601: syntax error at or near \"WHERE\", at character 13$", done.stderr, re.M), done.stderr
    done = example(str(broken), "SELECT 1", "127.0.0.1:1")
    assert (done.returncode, done.stderr) == (2, "08006: cannot reach a coordinator at 127.0.0.1:1\n")


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, timeout=4 * DEADLINE_S)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """What a stranger gets."""
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--component", "client", "--prefix", folder, cwd=folder)
    return folder


def build(prefix, project, main):
    """A program with the CMakeLists.txt of the guide, outside of the source tree."""
    project.mkdir()
    (project / "CMakeLists.txt").write_text(code_blocks("cmake")[0])
    (project / "main.cc").write_text(main)
    python = ROOT / ".venv" / "bin" / "python"
    settings = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPython3_EXECUTABLE={python}"]
    run("cmake", "-S", ".", "-B", "build", *settings, cwd=project)
    run("cmake", "--build", "build", cwd=project)
    return project / "build" / "follow_job"


def test_a_project_of_its_own_builds_with_what_is_installed(cluster, script, prefix, tmp_path):
    includes = {
        line.split()[1]
        for header in (prefix / "include").rglob("*.h")
        for line in header.read_text().splitlines()
        if line.startswith("#include")
    }
    assert includes and all(re.fullmatch(r'<[a-z_]+>|<arrow/.*>|"millrace/[a-z_]+\.h"', name) for name in includes)
    source = (ROOT / "client" / "cpp" / "examples" / "follow_job_main.cc").read_text()
    program = build(prefix, tmp_path / "project", source)
    assert_example_works(example(str(script), QUERY, cluster.address, program=program))


def test_the_first_program_of_the_guide_compiles_and_runs(cluster, prefix, tmp_path):
    program = build(prefix, tmp_path / "project", code_blocks("cpp")[0])
    done = example(program=program, MILLRACE_SERVER=cluster.address)
    assert (done.returncode, done.stdout) == (0, "sum of 1 to 100: 5050\n"), done.stderr
