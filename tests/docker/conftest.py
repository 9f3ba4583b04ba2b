"""The server stack, started natively once for all tests that need it."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

_spec = importlib.util.spec_from_file_location("native_stack", Path(__file__).with_name("stack.py"))
assert _spec is not None
assert _spec.loader is not None
native = importlib.util.module_from_spec(_spec)  # tests are no package
sys.modules["native_stack"] = native
_spec.loader.exec_module(native)


@pytest.fixture(scope="session")
def database() -> Iterator[Any]:
    """PostgreSQL with the stack's two databases; the other services are not started."""
    if native.postgres_binaries() is None:
        pytest.skip("needs PostgreSQL's programs (Debian: apt-get install postgresql)")
    with native.new_stack() as stack:
        stack.start_database()
        yield stack


@pytest.fixture(scope="session")
def stack(database: Any) -> Any:
    """The whole stack."""
    database.start_servers()
    return database


@pytest.fixture
def superuser(database: Any) -> Callable[[str], None]:
    """Does one thing in the database as who may do everything."""
    address = f"host=127.0.0.1 port={database.ports['database']} user=postgres dbname=optuna"
    password = database.environment("database")["POSTGRES_PASSWORD"]

    def execute(query: str) -> None:
        with psycopg.connect(address, password=password, autocommit=True) as connection:
            connection.execute(query)

    return execute


_numbers = count()


@pytest.fixture
def new_storage_url(database: Any, superuser: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database in which nothing is, and the password in the environment."""
    name = f"fresh_{next(_numbers)}"
    superuser(f"CREATE DATABASE {name} OWNER optuna")
    client = database.client()
    monkeypatch.setenv("PGPASSWORD", client["PGPASSWORD"])
    yield client["ASC_STORAGE"].rpartition("/")[0] + f"/{name}"
    superuser(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def compose() -> Callable[[dict[str, str]], dict[str, Any]]:
    """Reads the compose file with these variables."""
    return native.read_compose
