"""Mutated answers to every operation, read by the real client: whatever comes, only ``SinchError`` is raised.

``MUTATION_SEED=n`` draws other mutations. The failing answer is printed.
"""

import json
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dispatcher.sinch.errors import SinchError
from tests.sinch.operations import OPERATIONS, AnyProvider, Operation, client_of, impatient, values_in
from tests.sinch.test_extremes import EXTREMES, assert_bounded

__all__ = ["impatient"]
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("impatient")]

SEED = int(os.environ.get("MUTATION_SEED", "14"))
#: mutated answers for each operation
CASES = 60
STATUSES = (200,) * 12 + (201, 202, 204, 206, 302, 307, 400, 401, 403, 404, 408, 422, 429, 500, 503, 599, 999)
HEADERS: tuple[dict[str, str], ...] = ({},) * 8 + (
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "br"},
    {"Retry-After": "99999999999"},
    {"Retry-After": "-1"},
    {"Retry-After": "nan"},
    {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -9999", "Date": "x"},
    {"Location": "\x1b[2J\ud800" + "x" * 3_000},
    {"WWW-Authenticate": "Bearer error=expired \xff"},
    {"Content-Length": "-1"},
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON value, as its container and its name or index in it."""
    for name in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, name
        yield from places(value[name])


def extreme(dice: Random) -> Any:
    return deepcopy(dice.choice(list(EXTREMES.values())))


def mutated_json(dice: Random, answer: Any) -> bytes:
    value = json.loads(json.dumps(answer))
    for _ in range(dice.randint(1, 4)):
        if not value:
            return json.dumps(extreme(dice)).encode()
        container, name = dice.choice(list(places(value)))
        match dice.randrange(5):
            case 0:
                container.pop(name)
            case 1 if isinstance(container, list):
                container *= dice.randint(0, 3)
            case 2:
                container[name] = [container[name]]
            case 3:
                container[name] = {"id": container[name]}
            case _:
                container[name] = extreme(dice)
    return json.dumps(value).encode()


def mutated_bytes(dice: Random, body: bytes) -> bytes:
    content = bytearray(body)
    for _ in range(dice.randint(1, 6)):
        start = dice.randrange(len(content) + 1)
        piece = dice.choice(
            [b"", b"\x00", b"\xff", b'"', b"\\", b"{", b"[", b"\r\n", b"\\ud800", bytes(9), b"--frontier"]
        )
        content[start : start + dice.choice([0, 0, 1, 5, 1_000])] = piece * dice.choice([1, 1, 1, 500])
    return bytes(content)


def mutated(dice: Random, operation: Operation) -> AnyProvider:
    mutate: Callable[[], bytes] = lambda: mutated_bytes(dice, operation.body)  # noqa: E731
    if isinstance(operation.answer, dict) and dice.random() < 0.7:
        mutate = lambda: mutated_json(dice, operation.answer)  # noqa: E731
    body, cut = mutate(), dice.randrange(1, 4)
    headers = {"Content-Type": operation.content_type} | dice.choice(HEADERS)
    size = len(body) // cut + 1
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return AnyProvider(status=dice.choice(STATUSES), headers=headers, body=lambda: iter(pieces))


@pytest.mark.parametrize("name", OPERATIONS)
async def test_any_mutated_answer_is_read_or_is_a_documented_error(name: str, tmp_path: Path) -> None:
    operation, dice = OPERATIONS[name], Random(f"{SEED} {name}")
    for case in range(CASES):
        provider = mutated(dice, operation)
        async with client_of(provider) as client:
            try:
                result = await operation.call(client, provider, tmp_path)
            except SinchError as error:
                result = error
            except Exception:
                body = b"".join(provider.body())
                print(f"MUTATION_SEED={SEED} {name} case {case}: {provider.status} {provider.headers} {body[:4_000]!r}")
                raise
        for value in values_in(result):
            assert_bounded(value)


def test_at_least_a_thousand_answers_are_tried() -> None:
    assert CASES * len(OPERATIONS) >= 1_000
