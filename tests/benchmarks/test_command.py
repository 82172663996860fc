"""Tests of ``./run bench``, and of every benchmark at its smallest size."""

import json
from pathlib import Path

import pytest

from benchmarks import dispatch, pace, recovery
from benchmarks.__main__ import main
from benchmarks.catalog import BENCHES

#: the smallest scale at which a benchmark still takes every step
TINY = "0.0005"
#: outages last minutes at any scale; tests/grafana/test_alerting.py plays them with all times divided
TESTED_ELSEWHERE = {"alerts"}
FIELDS = {"bench", "figure", "value", "unit", "against", "ratio", "goal", "met"}


@pytest.fixture
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the benchmarks to one content, one limit and one fault of each kind; the others use the same code."""
    monkeypatch.setattr(dispatch, "FAXES", {"100 KB base64": 1})
    monkeypatch.setattr(pace, "RATES", (100,))
    monkeypatch.setattr(recovery, "FAULTS", recovery.FAULTS[:1])
    monkeypatch.setattr(recovery, "KILLS", recovery.KILLS[:1])


@pytest.mark.story
@pytest.mark.usefixtures("shorter")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="CPU time is read from /proc")
@pytest.mark.parametrize("name", [name for name in BENCHES if name not in TESTED_ELSEWHERE])
def test_a_bench_measures_every_figure_that_has_a_goal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main([name, "--scale", TINY, "--runs", "1", "--json"])
    output = capsys.readouterr()
    assert status == 0, output.err
    figures = json.loads(output.out.splitlines()[-1])
    assert figures
    for figure in figures:
        assert figure.keys() == FIELDS
        assert figure["bench"] == name
        assert isinstance(figure["met"], bool)


@pytest.mark.parametrize("wrong", [["speed"], ["accept", "--scale", "0"], ["accept", "--runs", "0"]])
def test_a_wrong_argument_is_refused_before_anything_runs(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(wrong)
    assert raised.value.code == 2
    assert "error" in capsys.readouterr().err


def test_the_help_names_every_bench(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    help_text = capsys.readouterr().out
    assert all(f"  {bench.name} " in help_text and bench.description in help_text for bench in BENCHES.values())
