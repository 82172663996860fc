"""Downloads over connections that break."""

import asyncio
from pathlib import Path

import pytest

from dispatcher.sinch.errors import NotFoundError, RateLimitedError, ResponseLostError
from tests.sinch.wire_client import client_for
from tests.sinch.wire_server import Reader, WireServer, Writer, reply, respond_with, running_server

pytestmark = pytest.mark.anyio

CONTENT = b"%PDF-" + b"x" * 500_000


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_an_interrupted_download_is_repeated(tmp_path: Path) -> None:
    async def breaks_once(server: WireServer, reader: Reader, writer: Writer) -> None:
        await server.read(reader)
        whole = reply(200, CONTENT)
        writer.write(whole[:-7] if len(server.requests) == 1 else whole)
        await writer.drain()

    async with running_server(breaks_once) as server, client_for(server.url) as client:
        assert await client.faxes.download("01FAX", tmp_path / "fax.pdf") == len(CONTENT)
    assert (tmp_path / "fax.pdf").read_bytes() == CONTENT
    assert len(server.requests) == 2


async def test_an_incomplete_download_leaves_no_file(tmp_path: Path) -> None:
    async def stops_half_way(server: WireServer, reader: Reader, writer: Writer) -> None:
        await server.read(reader)
        writer.write(reply(200, CONTENT)[:-7])
        await writer.drain()
        await asyncio.Event().wait()

    async with running_server(stops_half_way) as server, client_for(server.url) as client:
        with pytest.raises(ResponseLostError):
            await client.faxes.download("01FAX", tmp_path / "fax.pdf", total_s=0.5)
    assert names_in(tmp_path) == []


async def test_an_error_response_is_not_saved_as_content(tmp_path: Path) -> None:
    async with running_server(respond_with(reply(429, b"slow down"))) as server, client_for(server.url) as client:
        with pytest.raises(RateLimitedError):
            await client.faxes.download("01FAX", tmp_path / "fax.pdf")
    assert names_in(tmp_path) == []


async def test_the_new_path_is_used_if_the_old_one_does_not_exist(tmp_path: Path) -> None:
    async with (
        running_server(respond_with(reply(404), reply(200, CONTENT))) as server,
        client_for(server.url) as client,
    ):
        await client.faxes.download("01FAX", tmp_path / "fax.pdf")
    assert [request.line.split()[1].rpartition("/")[2] for request in server.requests] == ["file.pdf", "file"]


async def test_a_failed_download_leaves_an_existing_file_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "fax.pdf"
    target.write_bytes(b"old")
    async with running_server(respond_with(reply(404))) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError):
            await client.faxes.download("01FAX", target)
    assert target.read_bytes() == b"old"
