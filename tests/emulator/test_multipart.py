"""``POST /faxes`` as multipart, in the variants that existing clients send."""

import httpx
import pytest

from tests.emulator.emulator_client import TWO_PAGES, EmulatorClient
from tests.emulator.receiver import CallbackServer

Parts = list[tuple[str, tuple[str | None, bytes | str, str] | tuple[None, str]]]
FILE: Parts = [("file", ("letter.pdf", TWO_PAGES, "application/pdf"))]


def post(emulator: EmulatorClient, fields: list[tuple[str, str]], files: Parts = FILE) -> httpx.Response:
    parts: Parts = [(name, (None, value)) for name, value in fields]
    return emulator.post("/faxes", files=[*parts, *files])


def test_a_file_part_and_text_fields_make_a_fax(emulator: EmulatorClient) -> None:
    fields = [
        ("to", "+12025550101"),
        ("maxRetries", "1"),
        ("headerPageNumbers", "false"),
        ("labels[job]", "b.7"),
        ("labels[attempt]", "1"),
    ]
    fax = post(emulator, fields).json()
    assert (fax["to"], fax["maxRetries"], fax["headerPageNumbers"]) == ("+12025550101", 1, False)
    assert fax["labels"] == {"job": "b.7", "attempt": "1"}
    assert emulator.wait_until_final(fax["id"])["numberOfPages"] == 2


@pytest.mark.parametrize(
    "fields",
    [
        [("to", "+12025550101"), ("to", "+12025550102")],
        [("to", "+12025550101,+12025550102")],
        [("to", "+12025550101; +12025550102")],
    ],
)
def test_recipients_may_be_repeated_or_joined(emulator: EmulatorClient, fields: list[tuple[str, str]]) -> None:
    faxes = post(emulator, fields).json()["faxes"]
    assert [fax["to"] for fax in faxes] == ["+12025550101", "+12025550102"]


def test_names_may_be_in_pascal_case_with_capital_booleans(emulator: EmulatorClient) -> None:
    fields = [("To", "+12025550101"), ("HeaderText", "Hi"), ("HeaderPageNumbers", "False"), ("Labels[Job]", "1")]
    fax = post(emulator, fields, [("File", ("Letter.PDF", TWO_PAGES, "application/pdf"))]).json()
    assert (fax["headerText"], fax["headerPageNumbers"], fax["labels"]) == ("Hi", False, {"Job": "1"})


def test_several_files_are_merged_in_order(emulator: EmulatorClient) -> None:
    second_file: Parts = [("file", ("note.txt", b"hello", "text/plain"))]
    fax = post(emulator, [("to", "+12025550101")], [*FILE, *second_file]).json()
    assert emulator.wait_until_final(fax["id"])["numberOfPages"] == 3
    assert emulator.get(f"/faxes/{fax['id']}/file").content.startswith(b"%PDF-")


def test_a_content_url_alone_and_several_joined_by_a_comma(emulator: EmulatorClient, receiver: CallbackServer) -> None:
    for _ in range(2):
        receiver.responses.put((200, "application/pdf", TWO_PAGES))
    urls = f"{receiver.url('/a?x=1,2')},{receiver.url('/b')}"
    fax = post(emulator, [("to", "+12025550101"), ("contentUrl", urls)], []).json()
    assert fax["contentUrl"] == [receiver.url("/a?x=1,2"), receiver.url("/b")]
    assert emulator.wait_until_final(fax["id"])["numberOfPages"] == 4


def test_a_boundary_may_follow_the_semicolon_without_a_blank(emulator: EmulatorClient) -> None:
    body = (
        '------x\r\nContent-Disposition: form-data; name="to"\r\n\r\n+12025550101\r\n'
        '------x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        "Content-Type: text/plain\r\n\r\nhello\r\n------x--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data;boundary=----x"}
    assert emulator.post("/faxes", content=body.encode(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("name", "code"), [("data.xml", 130), ("data.exe", 129), ("letter.docx", None), ("scan.tiff", None)]
)
def test_the_file_name_extension_says_the_type(emulator: EmulatorClient, name: str, code: int | None) -> None:
    fax = post(emulator, [("to", "+12025550101")], [("file", (name, b"x", "application/octet-stream"))]).json()
    assert emulator.wait_until_final(fax["id"]).get("errorCode") == code


def test_a_file_without_an_extension_is_a_422(emulator: EmulatorClient) -> None:
    answer = post(emulator, [("to", "+12025550101")], [("file", ("letter", TWO_PAGES, "application/pdf"))])
    assert answer.status_code == 422
    assert answer.json()["details"]["fieldViolations"][0]["field"] == "files[0]"


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=y"])
def test_a_broken_multipart_body_is_a_400(emulator: EmulatorClient, content_type: str) -> None:
    answer = emulator.post("/faxes", content=b"--x\r\nwhat", headers={"Content-Type": content_type})
    assert answer.status_code == 400


def test_text_that_is_no_number_is_a_422(emulator: EmulatorClient) -> None:
    answer = post(emulator, [("to", "+12025550101"), ("maxRetries", "many")])
    assert answer.status_code == 422
