"""What commands share."""

import gc

import pytest

from asc_experiments.cli.options import ends_soon


@pytest.mark.parametrize("fails", [False, True])
def test_command_that_ends_soon_collects_no_garbage_and_leaves_the_collector_as_it_was(fails: bool) -> None:
    collecting = []

    @ends_soon
    def command() -> None:
        collecting.append(gc.isenabled())
        if fails:
            raise KeyError

    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            command()
        except KeyError:
            assert fails
        assert gc.isenabled() == enabled
    gc.enable()
    assert collecting == [False, False]
