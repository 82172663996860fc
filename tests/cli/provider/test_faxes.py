"""``bulkfax provider faxes`` against the emulator over HTTP."""

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax
from tests.cli.provider.conftest import Answer
from tests.emulator.caller import TWO_PAGES, Caller


@pytest.fixture
def fax(emulator: Caller) -> str:
    """Id of a fax that arrived."""
    return str(emulator.final(emulator.sent("+12025550101")["id"])["id"])


def ids(answer: Answer, *words: object) -> list[str]:
    return [fax["id"] for fax in answer("faxes", "list", *words)["faxes"]]


def test_the_list_is_a_table_with_whole_ids_and_numbers(provider: Bulkfax, fax: str) -> None:
    ran = provider("faxes", "list")
    assert (ran.status, ran.err) == (0, "")
    (line,) = [line for line in ran.out.splitlines() if fax in line]
    assert line.split()[:4] == [fax, "+12025550101", "COMPLETED", "2/2"]


def test_a_failed_fax_shows_its_error(provider: Bulkfax, emulator: Caller) -> None:
    emulator.scenario('[[numbers]]\nto = "+12025550102"\nattempts = ["busy"]')
    failed = emulator.final(emulator.sent("+12025550102", maxRetries=0)["id"])["id"]
    shown = provider("faxes", "list", "--to", "+12025550102").out
    assert ("FAILURE" in shown, "CALL_ERROR 17" in shown) == (True, True)
    assert "CALL_ERROR" in provider("faxes", "show", failed).out


def test_filters_narrow_the_list(answer: Answer, emulator: Caller, fax: str) -> None:
    abroad = emulator.final(emulator.sent("+442079460101", **{"from": "+12025550199"})["id"])["id"]
    assert ids(answer, "--to", "+4420") == [abroad]
    assert ids(answer, "--sender", "+12025550199") == [abroad]
    assert {abroad, fax} <= set(ids(answer, "--status", "completed"))
    assert ids(answer, "--status", "queued") == []
    assert ids(answer, "--until", "2020-01-01") == []
    assert fax in ids(answer, "--since", "2020-01-01", "--until", "2099-12-31")


def test_an_inbound_fax_is_listed_only_when_it_is_asked_for(answer: Answer, emulator: Caller) -> None:
    came = emulator.tool("POST", "incoming", json={"to": "+12025550100", "from": "+12025550155"}).json()
    assert came["id"] not in ids(answer)
    assert came["id"] in ids(answer, "--direction", "inbound")
    assert came["id"] in ids(answer, "--direction", "both")


def test_a_limit_stops_and_says_that_there_is_more(answer: Answer, provider: Bulkfax, emulator: Caller) -> None:
    for number in range(3):
        emulator.sent(f"+1303555010{number}")
    some = answer("faxes", "list", "--to", "+1303", "--limit", "2")
    assert (len(some["faxes"]), some["more"]) == (2, True)
    assert answer("faxes", "list", "--to", "+1303", "--limit", "3")["more"] is False
    assert "more than 2" in provider("faxes", "list", "--to", "+1303", "--limit", "2").err


def test_nothing_found_says_how_far_was_looked(provider: Bulkfax) -> None:
    assert "seven days" in provider("faxes", "list", "--to", "+1999").err


def test_show_gives_what_the_provider_said_under_its_names(answer: Answer, emulator: Caller, fax: str) -> None:
    shown = answer("faxes", "show", fax)
    said = emulator.get(f"/faxes/{fax}").json()
    assert {name: shown[name] for name in ("id", "to", "status", "numberOfPages", "createTime", "price")} == {
        name: said[name] for name in ("id", "to", "status", "numberOfPages", "createTime", "price")
    }


def test_download_writes_the_pdf_and_never_over_a_file_unasked(provider: Bulkfax, fax: str) -> None:
    ran = provider("faxes", "download", fax)
    assert ran.status == 0, ran.err
    assert Path(f"{fax}.pdf").read_bytes() == TWO_PAGES
    again = provider("faxes", "download", fax)
    assert (again.status, "--force" in again.err) == (1, True)
    assert provider("faxes", "download", fax, "--force").status == 0
    assert provider("faxes", "download", fax, "--output", "other.pdf").status == 0
    assert Path("other.pdf").read_bytes() == Path(f"{fax}.pdf").read_bytes()


def test_deleted_content_cannot_be_downloaded_and_its_record_stays(provider: Bulkfax, answer: Answer, fax: str) -> None:
    assert answer("faxes", "delete-content", fax, "--yes") == {"deleted": fax}
    ran = provider("faxes", "download", fax)
    assert (ran.status, ran.err) == (
        1,
        f"error: the provider holds no content of {fax}: deleted, not there yet, or never saved\n",
    )
    assert not list(Path().iterdir()), "half a file stays"
    assert answer("faxes", "show", fax)["hasFile"] is False


def test_content_stays_when_nobody_says_yes(provider: Bulkfax, answer: Answer, fax: str) -> None:
    assert provider("faxes", "delete-content", fax).status == 1
    assert answer("faxes", "show", fax)["hasFile"] is True


def test_export_writes_the_providers_csv_of_what_matches(answer: Answer, emulator: Caller) -> None:
    wanted = emulator.sent("+13125550101")["id"]
    written = answer("faxes", "export", "some.csv", "--to", "+1312")
    lines = list(csv.DictReader(Path("some.csv").read_text().splitlines()))
    assert [line["Id"] for line in lines] == [wanted]
    assert written == {"file": "some.csv", "bytes": Path("some.csv").stat().st_size}


@pytest.mark.parametrize("command", [("show", "nothing"), ("download", "nothing"), ("delete-content", "nothing", "-y")])
def test_an_unknown_fax_is_a_sentence(provider: Bulkfax, command: tuple[str, ...]) -> None:
    ran = provider("faxes", *command)
    assert ran.status == 1
    assert ran.err.startswith("error: the provider does not know that (There is no such fax)")


def test_a_place_that_cannot_be_written_to_is_a_sentence(provider: Bulkfax) -> None:
    ran = provider("faxes", "export", "no/such/folder/faxes.csv")
    assert ran.status == 1
    assert ran.err.startswith("error: cannot write no/such/folder/")


@pytest.mark.parametrize("option", [("--status", "SENT"), ("--direction", "up"), ("--since", "soon"), ("--limit", "0")])
def test_a_filter_that_is_none_is_wrong_usage(provider: Bulkfax, option: tuple[str, str]) -> None:
    assert provider("faxes", "list", *option).status == 2
