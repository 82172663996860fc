"""How pages are laid out on the lines of a fax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.documents.fax_page import LINE_PIXELS, PageLayout, Resolution, lay_out

A4, LETTER, LEGAL, A3, A5 = (595.28, 841.89), (612, 792), (612, 1008), (841.89, 1190.55), (419.53, 595.28)


@pytest.mark.parametrize(
    ("size", "resolution", "layout"),
    [
        (A4, Resolution.FINE, PageLayout(20, 1687, 2292, False, 1)),
        (A4, Resolution.SUPERFINE, PageLayout(20, 1687, 4572, False, 1)),
        (LETTER, Resolution.FINE, PageLayout(0, 1728, 2149, False, 0.9965)),
        (LETTER, Resolution.SUPERFINE, PageLayout(0, 1728, 4286, False, 0.9965)),
        (A4[::-1], Resolution.FINE, PageLayout(20, 1687, 2292, True, 1)),
        (LEGAL, Resolution.FINE, PageLayout(0, 1728, 2735, False, 0.9965)),
        (A3, Resolution.FINE, PageLayout(0, 1728, 2348, False, 0.7244)),
        (A5, Resolution.FINE, PageLayout(269, 1189, 1620, False, 1)),
        # lying down, A5 is as wide as A4 is upright
        (A5[::-1], Resolution.FINE, PageLayout(20, 1687, 1142, False, 1)),
        ((612, 396), Resolution.FINE, PageLayout(0, 1728, 1074, False, 0.9965)),
        ((300, 5000), Resolution.FINE, PageLayout(778, 171, 2744, False, 0.2016)),
        ((0.1, 0.1), Resolution.FINE, PageLayout(863, 1, 1, False, 1)),
    ],
)
def test_a_page_has_its_true_size_if_it_fits(
    size: tuple[float, float], resolution: Resolution, layout: PageLayout
) -> None:
    result = lay_out(*size, resolution)
    assert result._replace(scale=1) == layout._replace(scale=1)
    assert result.scale == pytest.approx(layout.scale, abs=1e-4)


_EDGES = st.floats(0.01, 6000)


@given(_EDGES, _EDGES, st.sampled_from(Resolution))
def test_every_page_fits(width: float, height: float, resolution: Resolution) -> None:
    layout = lay_out(width, height, resolution)
    assert layout.left >= 0
    assert 1 <= layout.width <= LINE_PIXELS - layout.left
    assert 1 <= layout.height <= 14 * resolution.value
    assert 0 < layout.scale <= 1
