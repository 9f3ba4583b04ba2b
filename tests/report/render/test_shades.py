"""Numbers in coloured cells can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_experiments.report.render.shades import CIVIDIS, ORANGES, contrast, ink_on, shade


@given(st.floats(-1, 2), st.sampled_from([CIVIDIS, ORANGES]))
def test_ink_stands_out_from_every_shade(value: float, colours: tuple[str, ...]) -> None:
    fill = shade(value, 0.0, 1.0, colours)
    assert contrast(fill, ink_on(fill)) >= 4.5


def test_ends_of_a_scale_have_its_end_colours() -> None:
    assert (shade(0.2, 0.2, 0.9, CIVIDIS), shade(0.9, 0.2, 0.9, CIVIDIS)) == (CIVIDIS[0], CIVIDIS[-1])
    assert shade(0.55, 0.2, 0.9, CIVIDIS) == CIVIDIS[2]
    assert shade(0.5, 0.5, 0.5, CIVIDIS) == CIVIDIS[2], "all equal: neither end"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
