"""As ``test_liveness.py``, with other seeds. Tests are distributed by file, so the two files run in parallel."""

import pytest

from tests.simulation.many import assert_nothing_wrong

#: histories in which a fax never ends last 80 simulated hours and take 40 s each; ``./run chaos --simulated`` runs them
_LAST_80_HOURS = {117, 120}
_SEEDS = [seed for seed in range(61, 123) if seed not in _LAST_80_HOURS]
_EACH = 10


@pytest.mark.parametrize("first", range(0, len(_SEEDS), _EACH))
def test_more_histories_with_all_faults(simulated_url: str, first: int) -> None:
    assert_nothing_wrong(simulated_url, _SEEDS[first : first + _EACH])
