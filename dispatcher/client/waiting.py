"""What waits, for both clients. The asynchronous one uses the functions whose names begin with ``async_``."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

import httpx

T = TypeVar("T")

#: reads an open answer
Reading = Callable[[httpx.Response], T]
AsyncReading = Callable[[httpx.Response], Awaitable[T]]

#: gets the page after a cursor
Fetching = Callable[[str], T]
AsyncFetching = Callable[[str], Awaitable[T]]

_END = object()

sleep = time.sleep
async_sleep = asyncio.sleep


def each(items: Iterator[T]) -> Iterator[T]:
    """Yield what an iterator yields, which may read a file."""
    return items


async def async_each(items: Iterator[T]) -> AsyncIterator[T]:
    """Yield what an iterator yields. It runs in a thread, because it may read a file."""
    while (item := await asyncio.to_thread(next, items, _END)) is not _END:
        yield item  # type: ignore[misc]  # not the end


def opened(manager: AbstractContextManager[T]) -> AbstractContextManager[T]:
    """Open something that may read or write files."""
    return manager


@asynccontextmanager
async def async_opened(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Open something in a thread, because it may read or write files."""
    value = await asyncio.to_thread(manager.__enter__)
    try:
        yield value
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
