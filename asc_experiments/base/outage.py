"""What is no trial's fault: a server that is away, a disk that is full or read-only. Work stops and continues later.

:func:`failure_of` is the one classification of failures, whichever library raised them. It goes by names and words, so
that none of those libraries need be imported, and an error of which a worker process sent only the text is known too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from asc_experiments.base.errors import AscError

RESUMES = "the same command resumes"


class Failure(Enum):
    """What an error tells of. (An :class:`AscError` is the user's, everything else a defect: neither is here.)

    Attributes:
        AWAY: a server or database does not answer. May pass.
        BUSY: a server asks for fewer calls (HTTP 429). May pass.
        TROUBLE: a server answers that it cannot do its work. May pass.
        FULL: a disk or quota is full, on this machine or, as a server says, on its own. May pass.
        READ_ONLY: what should be written to is read-only.
        SCHEMA: a database answers, and has not the tables that the installed version needs.
        REFUSED: a database does not take this user or password.
        CLUSTER: a Ray cluster, or what it keeps for this program, is lost.
    """

    AWAY = "away"
    BUSY = "busy"
    TROUBLE = "trouble"
    FULL = "full"
    READ_ONLY = "read-only"
    SCHEMA = "schema"
    REFUSED = "refused"
    CLUSTER = "cluster"

    @property
    def may_pass(self) -> bool:
        """Whether it may pass by itself, so that it is worth to wait."""
        return self in (Failure.AWAY, Failure.BUSY, Failure.TROUBLE, Failure.FULL)


class Outage(AscError):  # noqa: N818 - nobody erred
    """Something outside that work needs is away, full or read-only: whoever hears of it stops, and blames no trial."""


@dataclass(frozen=True)
class Answer:
    """What a server answered when it did not do as asked; kept as attribute ``answer`` of the error that tells so.

    Attributes:
        status: HTTP's.
        code: the server's own word for the error, such as ``INVALID_STATE``; empty where it said none.
        text: what it said.
        wait_s: for how many seconds it asks to be left alone; None where it does not say.
    """

    status: int
    code: str = ""
    text: str = ""
    wait_s: float | None = None


_WORDS = {
    Failure.READ_ONLY: ("Read-only file system", "readonly database", "read-only transaction"),
    Failure.FULL: (
        "No space left on device", "disk is full", "Disk quota exceeded", "File too large", "disk I/O error",
    ),
    Failure.SCHEMA: (
        "no such table", "no such column", "has no column named",  # SQLite
        "UndefinedTable", "UndefinedColumn",  # PostgreSQL, as psycopg names it
        "(1054, ", "(1146, ",  # MySQL
        "out-of-date database schema", "Can't locate revision",  # MLflow; Alembic of a newer version's
        "no longer compatible with the table schema",  # Optuna
    ),
    Failure.REFUSED: ("password authentication failed", "no password supplied", "Access denied for user"),
}  # fmt: skip
"""By what the libraries say, the most telling first: SQLite calls all of these operational errors."""
_CLASSES = {
    "requests.exceptions.RetryError": Failure.TROUBLE,  # how MLflow's client tells of 429 and from 500 on
    "builtins.ConnectionError": Failure.AWAY,
    "requests.exceptions.ConnectionError": Failure.AWAY,
    "requests.exceptions.Timeout": Failure.AWAY,
    "requests.exceptions.ChunkedEncodingError": Failure.AWAY,  # killed in the middle of an answer
    "sqlalchemy.exc.OperationalError": Failure.AWAY,
    "sqlalchemy.exc.InterfaceError": Failure.AWAY,
    "optuna.exceptions.StorageInternalError": Failure.AWAY,
    "ray.exceptions.RayTaskError": None,  # what a task raised, which may be one of the above as well
    "ray.exceptions.RayActorError": Failure.CLUSTER,
    "ray.exceptions.RaySystemError": Failure.CLUSTER,
    "ray.exceptions.RpcError": Failure.CLUSTER,
}
_OF_DATABASES = (Failure.SCHEMA, Failure.REFUSED)
"""Nobody else's words are meant."""
_AS_TEXT = ("OperationalError", "InterfaceError", "StorageInternalError")
"""Errors that a worker process tells of by their names and texts alone."""
_DRIVER = re.compile(r"^\([\w.]+\) ")
"""Whose error it is, as SQLAlchemy begins."""
_BUSY, _GATEWAY = 429, (502, 503, 504)
_COUNTED = ("error code", "too many")
_BROKEN = ("Max retries exceeded with url", "Connection broken", "Connection aborted", "Read timed out")
"""How MLflow quotes statuses and what requests raised, of downloads without the error itself."""
_MAY_PASS = ("", "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")
"""What MLflow's server calls errors that may be none of the caller's; others with status 500 come again every time."""


def failure_of(error: BaseException) -> Failure | None:
    """What an error tells of; None where it is the user's to correct, or a defect."""
    errors = list(chain(error))
    for failure, words in _WORDS.items():
        for each in errors:
            if isinstance(each, AscError) and failure in _OF_DATABASES:
                continue
            if any(word in text for text in _told_by(each) for word in words):
                return failure
    if (answer := answer_of(error)) is not None:
        return _by_status(answer.status, answer.code)
    found = [kind for kind in map(_by_kind, errors) if kind is not None]
    return next((kind for kind in found if kind is not Failure.AWAY), found[0] if found else None)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from or while handling, the latest first."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def answer_of(error: BaseException) -> Answer | None:
    """What a server answered, where an error tells that."""
    for each in chain(error):
        answer, response = getattr(each, "answer", None), getattr(each, "response", None)
        if isinstance(answer, Answer):
            return answer
        if "requests.exceptions.HTTPError" in _names(each) and response is not None:
            wait = response.headers.get("Retry-After", "")
            return Answer(response.status_code, wait_s=float(wait) if wait.isascii() and wait.isdigit() else None)
    return None


def is_full(error: BaseException) -> bool:
    """Whether an error means that a disk or quota is full, on this machine or, as a server says, on its own."""
    return failure_of(error) is Failure.FULL


def is_of_a_database(error: BaseException) -> bool:
    """Whether an error is one of those by which databases tell that they are away, not a web server's."""
    return any(type(each).__name__ in _AS_TEXT or str(each).startswith(_AS_TEXT) for each in chain(error))


def outage_of(error: BaseException, where: object, away: str = "", upgrade: str = "") -> Outage | None:
    """The outage that an error tells of: itself, or one that whoever meets it cannot wait for; None where it is none.

    Args:
        error: what was raised.
        where: what was being written or asked, for the line.
        away: what to say of a server there that does not answer, such as ``its storage does not answer``; without, such
            errors are none, since who asks servers waits for them.
        upgrade: the command that brings a database's tables to the installed version.
    """
    for each in chain(error):
        if isinstance(each, Outage):
            return each
    failure = failure_of(error)
    if failure is not None and failure.may_pass and failure is not Failure.FULL:
        return Outage(where, f"{away} ({_name(error)})", f"start the database; {RESUMES}") if away else None
    match failure:
        case Failure.FULL:
            return Outage(where, "no space is left to write to", f"free some; {RESUMES}")
        case Failure.READ_ONLY:
            return Outage(where, "is read-only", f"make it writable, or give another --workspace; {RESUMES}")
        case Failure.SCHEMA:
            what = f"its tables are not those of the installed version ({_words_of(error)})"
            remedy = f"back the database up, then {upgrade or 'upgrade it'}; or install the version that wrote it"
            return Outage(where, what, remedy)
        case Failure.REFUSED:
            remedy = "name the user in its address and give the password as PGPASSWORD"
            return Outage(where, "the database refuses this user or password", remedy)
        case Failure.CLUSTER:
            return Outage("the Ray cluster", f"does not answer ({_name(error)})", f"start it; {RESUMES}")
    return None


def _told_by(error: BaseException) -> list[str]:
    """What an error says, without the statement that SQLAlchemy adds, whose values may be anybody's words."""
    answer = getattr(error, "answer", None)
    told = [str(error), answer.text] if isinstance(answer, Answer) else [str(error)]
    return [text.partition("\n[SQL: ")[0] for text in told]


def _names(error: BaseException) -> list[str]:
    """Of the classes that an error is of, its own first."""
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]


def _by_kind(error: BaseException) -> Failure | None:
    """What one error of a chain tells of by its class, or by the name that its text begins with."""
    if isinstance(error, AscError):
        return None
    names = _names(error)
    if "mlflow.exceptions.MlflowException" in names:
        return _by_mlflow(str(getattr(error, "error_code", "")), str(error))
    for name in names:
        if name in _CLASSES:
            return _CLASSES[name]
    return Failure.AWAY if str(error).startswith(_AS_TEXT) else None


def _by_status(status: int, code: str = "") -> Failure | None:
    if status == _BUSY:
        return Failure.BUSY
    return Failure.TROUBLE if status in _GATEWAY or (status == 500 and code in _MAY_PASS) else None


def _by_mlflow(code: str, text: str) -> Failure | None:
    if any(f"{words} {_BUSY}" in text for words in _COUNTED) or code == "REQUEST_LIMIT_EXCEEDED":
        return Failure.BUSY
    if any(f"{words} {status}" in text for words in _COUNTED for status in (500, *_GATEWAY)):
        return Failure.TROUBLE
    return Failure.AWAY if code == "TEMPORARILY_UNAVAILABLE" or any(words in text for words in _BROKEN) else None


def _name(error: BaseException) -> str:
    """The class of the error that tells why, the first cause's; of a text from a worker the name it begins with."""
    known = [each for each in chain(error) if _by_kind(each) is not None]
    last = known[-1] if known else error
    begins = str(last).partition(":")[0]
    return begins if begins in _AS_TEXT else type(last).__name__


def _words_of(error: BaseException) -> str:
    """The line in which a database says what it lacks."""
    for each in chain(error):
        for text in _told_by(each):
            for line in text.splitlines():
                if any(word in line for word in _WORDS[Failure.SCHEMA]):
                    return _DRIVER.sub("", line).strip()[:200]
    return type(error).__name__
