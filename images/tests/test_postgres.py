"""The PostgreSQL image."""

from pathlib import Path

import psycopg
import pytest

from images.tests.servers import Launch, Server

pytestmark = pytest.mark.integration

OPTIONS = ("--tmpfs", "/run/postgresql:uid=65532", "--shm-size", "128m")
READY = ("pg_isready", "--host=127.0.0.1")


def connect(server: Server, password: str = "first") -> psycopg.Connection:
    return psycopg.connect(
        f"host=127.0.0.1 port={server.port} user=postgres password={password}", autocommit=True
    )


def value(server: Server, query: str) -> object:
    with connect(server) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


@pytest.fixture(scope="module")
def server(launch: Launch) -> Server:
    return launch(
        "postgres",
        5432,
        *OPTIONS,
        *("--env", "POSTGRES_PASSWORD=first", "--env", "POSTGRES_SET_WORK_MEM=7MB"),
        ready=READY,
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("max_connections", "200"),
        ("password_encryption", "scram-sha-256"),
        ("timezone", "UTC"),
        ("work_mem", "7MB"),
    ],
)
def test_settings_are_the_image_s_and_the_environment_s(server: Server, setting: str, expected: str) -> None:
    assert value(server, f"SHOW {setting}") == expected


def test_text_sorts_by_a_collation_that_no_library_can_change(server: Server) -> None:
    query = "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = 'postgres'"
    assert value(server, query) == "b C.UTF-8"
    assert value(server, "SELECT upper('straße é')") == "STRAßE É"


def test_vectors_are_there(server: Server) -> None:
    with connect(server) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    assert value(server, "SELECT '[3,4]'::vector <-> '[0,0]'::vector") == 5.0


def test_wrong_password_is_refused(server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server, "wrong")


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_login_has_no_business_in_the_databases_that_every_cluster_has(
    server: Server, database: str
) -> None:
    assert not lets_in(server, database)


def test_a_cluster_that_let_everybody_into_them_is_shut_at_its_next_start(launch: Launch) -> None:
    server = launch("postgres", 5432, *OPTIONS, "--env", "POSTGRES_PASSWORD=first", ready=READY)
    with connect(server) as connection:
        connection.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
    assert lets_in(server, "postgres")
    server.restart()
    assert not lets_in(server, "postgres")


def lets_in(server: Server, database: str) -> bool:
    """Whether somebody may log in there who has no rights but to log in."""
    with connect(server) as connection:
        connection.execute("DROP ROLE IF EXISTS visitor")
        connection.execute("CREATE ROLE visitor LOGIN PASSWORD 'v'")
    url = f"host=127.0.0.1 port={server.port} user=visitor password=v dbname={database}"
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        if "permission denied for database" in str(error):
            return False
        raise
    return True


def test_committed_row_survives_a_kill(server: Server) -> None:
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    server.kill_and_start()
    assert value(server, "SELECT id FROM kept") == 7


def test_stop_leaves_a_clean_cluster_though_a_client_is_connected(server: Server) -> None:
    connection = connect(server)
    assert server.stop() == 0
    assert "database system is shut down" in server.log()
    connection.close()


def test_first_start_that_was_killed_is_made_good_by_the_next(launch: Launch) -> None:
    server = launch("postgres", 5432, *OPTIONS, "--env", "POSTGRES_PASSWORD=first", ready=READY, wait=False)
    while server.run("test", "-d", "/data/17.new").returncode != 0:
        assert server.run("test", "-d", "/data/17").returncode != 0, "the first start was over too soon"
    server.kill_and_start()
    assert value(server, "SELECT 1") == 1


def test_password_of_the_secret_is_in_force_after_a_restart(launch: Launch, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    secret = tmp_path / "password"
    secret.write_text("first")
    server = launch(
        "postgres", 5432, *OPTIONS, "--volume", f"{tmp_path}:/run/secrets/postgres:ro", ready=READY
    )
    connect(server).close()
    secret.write_text('it\'s "second" \\ $HOME')
    server.restart()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server)
    psycopg.connect(
        host="127.0.0.1", port=server.port, user="postgres", password='it\'s "second" \\ $HOME'
    ).close()


def test_without_a_password_it_says_what_to_do(launch: Launch) -> None:
    server = launch("postgres", 5432, *OPTIONS, wait=False)
    assert server.exit_code() == 78
    assert "mount it at /run/secrets/postgres/password or set POSTGRES_PASSWORD" in server.log()
