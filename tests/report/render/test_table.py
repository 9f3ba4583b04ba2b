"""The one type of table."""

import pytest

from asc_experiments.report.render.csv_table import as_csv
from asc_experiments.report.render.table import MOST_ROWS, Column, Table, columns, number, percent, score, text

HEADS = (
    Column("kind", is_number=False, spared=True),
    Column("name", is_number=False),
    Column("overall", "%"),
    Column("a", apart="per device"),
    Column("b", apart="per device"),
    Column("MMACs"),
)
ROW = (text("student"), text("trial 1"), percent(0.61234), percent(0.7), percent(0.5), number(2.0))
TABLE = Table("all", HEADS, (ROW,), notes=("read this",), breaks=frozenset({1}))


def test_narrow_is_what_stays_and_then_what_goes_apart_each_with_the_names() -> None:
    first, devices = TABLE.narrow
    assert [column.heading for column in first.columns] == ["name", "overall", "MMACs"]
    assert [column.heading for column in devices.columns] == ["name", "a", "b"]
    assert (first.caption, devices.caption) == ("all", "per device")
    assert (first.notes, devices.notes) == ((), ("read this",)), "below the last"
    assert first.breaks == devices.breaks == TABLE.breaks
    assert devices.rows == ((ROW[1], ROW[3], ROW[4]),)


def test_table_without_columns_that_go_apart_is_the_same_narrow() -> None:
    table = Table("all", columns("name", "value", texts="name"), ((text("x"), number(1)),), notes=("n",))
    assert table.narrow == (table,)


def test_csv_has_all_digits_and_a_reader_few() -> None:
    assert ROW[2].plain == "61.2"
    assert as_csv(TABLE) == "kind,name,overall,a,b,MMACs\r\nstudent,trial 1,0.61234,0.7,0.5,2.0\r\n"


@pytest.mark.parametrize(("metric", "shown"), [("accuracy/overall", "61.2 ± 1.0"), ("loss/overall", "0.6123 ± 0.0100")])
def test_score_is_in_the_unit_of_its_metric(metric: str, shown: str) -> None:
    assert score(metric, 0.61234, 0.01).plain == shown
    assert score(metric, None).plain == score(metric, float("nan")).plain == ""


def test_shortened_says_how_many_there_are() -> None:
    long = Table("all", columns("n"), tuple((number(n),) for n in range(MOST_ROWS + 1)))
    assert len(long.shortened.rows) == MOST_ROWS
    assert f"the first {MOST_ROWS} of {MOST_ROWS + 1}" in long.shortened.caption
    assert TABLE.shortened is TABLE
