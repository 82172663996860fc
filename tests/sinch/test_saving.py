"""Downloads over connections that break."""

import asyncio
from pathlib import Path

import pytest

from dispatcher.sinch.errors import AnswerLostError, NotFoundError, RateLimitedError
from tests.sinch.faxes import calling
from tests.sinch.wire_server import Reader, WireServer, Writer, answering, reply, serving

pytestmark = pytest.mark.anyio

CONTENT = b"%PDF" + b"x" * 500_000


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_download_that_broke_begins_anew(tmp_path: Path) -> None:
    async def breaks_once(server: WireServer, reader: Reader, writer: Writer) -> None:
        await server.read(reader)
        whole = reply(200, CONTENT)
        writer.write(whole[:-7] if len(server.seen) == 1 else whole)
        await writer.drain()

    async with serving(breaks_once) as server, calling(server.url) as client:
        assert await client.faxes.download("01FAX", tmp_path / "fax.pdf") == len(CONTENT)
    assert (tmp_path / "fax.pdf").read_bytes() == CONTENT
    assert len(server.seen) == 2


async def test_a_download_that_never_gets_whole_leaves_no_file(tmp_path: Path) -> None:
    async def stops_half_way(server: WireServer, reader: Reader, writer: Writer) -> None:
        await server.read(reader)
        writer.write(reply(200, CONTENT)[:-7])
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(stops_half_way) as server, calling(server.url) as client:
        with pytest.raises(AnswerLostError):
            await client.faxes.download("01FAX", tmp_path / "fax.pdf", total_s=0.5)
    assert names_in(tmp_path) == []


async def test_an_error_is_not_taken_for_content(tmp_path: Path) -> None:
    async with serving(answering(reply(429, b"slow down"))) as server, calling(server.url) as client:
        with pytest.raises(RateLimitedError):
            await client.faxes.download("01FAX", tmp_path / "fax.pdf")
    assert names_in(tmp_path) == []


async def test_the_newer_path_is_asked_when_the_older_one_is_gone(tmp_path: Path) -> None:
    async with serving(answering(reply(404), reply(200, CONTENT))) as server, calling(server.url) as client:
        await client.faxes.download("01FAX", tmp_path / "fax.pdf")
    assert [seen.line.split()[1].rpartition("/")[2] for seen in server.seen] == ["file.pdf", "file"]


async def test_a_file_that_is_in_place_survives_a_download_that_fails(tmp_path: Path) -> None:
    target = tmp_path / "fax.pdf"
    target.write_bytes(b"old")
    async with serving(answering(reply(404))) as server, calling(server.url) as client:
        with pytest.raises(NotFoundError):
            await client.faxes.download("01FAX", target)
    assert target.read_bytes() == b"old"
