"""Names that callers give, against the names of bulkfax and against each other."""

from itertools import combinations

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import Recipient, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.names import KeyUse, UploadKind, UploadName, digest
from dispatcher.service.documents import find_document
from dispatcher.service.errors import Conflict, Missing
from dispatcher.service.mailings import Mailings
from dispatcher.service.uploads import Upload, open_upload
from dispatcher.service.views import find_batch
from dispatcher.store.keys import Keys
from dispatcher.store.store import Store
from tests.service.samples import add, definition, draft, end_jobs, recipients, rerun_of, running

pytestmark = pytest.mark.anyio

EXPIRED_MATCH = "more than seven days ago; use a new key"
FAILED = JobFilter(states=frozenset({State.FAILED}))
#: keys that equal, or begin with, a stored name of bulkfax, or that no header can carry
KEYS_OF_ATTACKS = (
    *("rerun", "\nrerun", "fax", "key", "key:", "key:" + digest("k")),
    *("", "\0", "\ud800", "ä", "a b", "a\nb"),
)


@pytest.fixture
def mailings(store: Store) -> Mailings:
    async def fine() -> None:
        """The provider takes our key."""

    return Mailings(store, fine, 1000, b"key")


async def rerun_draft(store: Store, mailings: Mailings) -> str:
    parent = await running(store, 10)
    await end_jobs(store, parent, dict.fromkeys(range(10), (State.FAILED, "busy")))
    return (await rerun_of(mailings, parent, FAILED, start=False, key=None)).definition.id


@pytest.mark.parametrize("key", KEYS_OF_ATTACKS)
async def test_recipients_uploaded_to_a_rerun_are_kept_whatever_the_key(
    store: Store, mailings: Mailings, key: str
) -> None:
    child = await rerun_draft(store, mailings)
    upload = await open_upload(store, child, key)
    assert upload.lines_done == 0
    await add(upload, recipients(2, 4_000), [])
    assert (await upload.finish()).accepted == 2
    overview = await store.batches.overview(child)
    assert overview is not None
    assert overview.rows == 12


@pytest.mark.parametrize("key", KEYS_OF_ATTACKS)
async def test_a_single_fax_has_no_upload_that_a_key_names(store: Store, mailings: Mailings, key: str) -> None:
    job = await mailings.fax(definition(), recipients(1)[0], None)
    assert await store.batches.progress(job.id.batch, UploadName.of_key(key)) is None


def test_no_two_names_of_uploads_are_stored_under_the_same_text() -> None:
    names = [
        *(UploadName.of_key(key) for key in KEYS_OF_ATTACKS),
        UploadName(UploadKind.RERUN),
        UploadName(UploadKind.FAX),
    ]
    for name, other in combinations(map(str, names), 2):
        assert name != other


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (("b 1", "k"), ("b", "1 k")),
        (("b", 1, "0 k"), ("b", 10, " k")),
        (("b", 1, "k"), ("b", "1", "k")),
        (("b\n1",), ("b", "1")),
        (("a", ""), ("a",)),
        (('["a","b"]',), ("a", "b")),
    ],
)
def test_names_that_are_joined_in_other_places_are_other_names(
    name: tuple[str | int, ...], other: tuple[str | int, ...]
) -> None:
    assert digest(*name) != digest(*other)


@pytest.mark.parametrize("id_", ["{}:counts", "{}:uploads", "{}:records:0", "{}\n", "{}*", "", "*", "ä", "../{}"])
async def test_an_id_that_names_another_key_names_no_batch_and_no_document(store: Store, id_: str) -> None:
    batch = await draft(store, 1)
    with pytest.raises(Missing):
        await find_batch(store, id_.format(batch))
    document = await store.documents.put(b"x", "letter.pdf", 1)
    for name in (id_.format(document.sha256), f"{document.sha256}:chunks"):
        with pytest.raises(Missing):
            await find_document(store, name)


async def test_a_key_with_line_breaks_cannot_write_another_reservation(store: Store) -> None:
    reserve = store.idempotency_keys.reserve
    await reserve(KeyUse.BATCH, "k", fingerprint="a\nb", value='"]\nc')
    again = await reserve(KeyUse.BATCH, "k", fingerprint="a", value="b\nc")
    assert (again.fingerprint, again.value) == ("a\nb", '"]\nc')


async def test_the_same_key_on_every_route_is_another_key(store: Store, mailings: Mailings) -> None:
    parent = await running(store, 1)
    await end_jobs(store, parent, {0: (State.FAILED, "busy")})
    batches = {
        (await mailings.create(definition(), "k")).definition.id,
        (await rerun_of(mailings, parent, FAILED, start=False, key="k")).definition.id,
        (await mailings.fax(definition(), recipients(1)[0], "k")).id.batch,
    }
    for batch in (await draft(store), await draft(store)):
        upload = await open_upload(store, batch, "k")
        await add(upload, recipients(1), [])
        assert (await upload.finish()).accepted == 1
        batches.add(batch)
    assert len(batches) == 5


async def test_another_list_is_not_taken_for_the_first_after_its_key_was_forgotten(store: Store) -> None:
    """It would be answered with 200, and its rows would be nowhere."""
    batch = await draft(store)
    upload = await open_upload(store, batch, "k")
    await add(upload, recipients(1_500), [])
    await upload.finish()
    await forget_keys(store)
    others = [row._replace(line=row.line - 2_000) for row in recipients(1_500, 2_000)]
    for rows in (others, others, recipients(1_500)):
        again = await open_upload(store, batch, "k")
        with pytest.raises(Conflict, match=EXPIRED_MATCH):
            await whole(again, rows)
    await store.batches.command(batch, Command.START)
    late = await open_upload(store, batch, "k")
    with pytest.raises(Conflict, match=EXPIRED_MATCH):
        await whole(late, others)


async def whole(upload: Upload, rows: list[Recipient]) -> None:
    await add(upload, rows, [])
    await upload.finish()


async def forget_keys(store: Store) -> None:
    """Seven days pass."""
    names = [name async for name in store._client.scan_iter(Keys().reservation("*", "*"))]
    await store._client.delete(*names)
