"""Previews: a page of a stored document as the recipient will see it, drawn in a child process."""

from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Literal

from dispatcher.child_process.runner import ChildFailed, ChildLimits, ChildProcesses, Ending
from dispatcher.service.documents import find_document
from dispatcher.service.errors import Missing, Unreadable
from dispatcher.store.store import Store

__all__ = ["ImageConversion", "Preview", "Resolution", "preview_page"]

Resolution = Literal["FINE", "SUPERFINE"]
ImageConversion = Literal["HALFTONE", "MONOCHROME"]

_TASK = "dispatcher.documents.preview"
#: the largest picture has 1.2 MB before it is compressed
_LIMITS = ChildLimits(output_bytes=4_000_000)
#: why a page was not drawn
_NO_RESULT = {
    Ending.TIME: f"takes longer than {_LIMITS.seconds} s to draw",
    Ending.MEMORY: f"takes more than {_LIMITS.memory_bytes // 2**20} MB of memory to draw",
    Ending.OUTPUT: "makes too large a picture",
    Ending.CRASH: "ends every program that draws it, or takes all memory",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A page as a PNG picture."""

    png: bytes
    #: pages of the document
    pages: int


async def preview_page(
    store: Store,
    child_processes: ChildProcesses,
    sha256: str,
    page: int,
    resolution: Resolution,
    image_conversion: ImageConversion,
) -> Preview:
    """Draw a page of a document, counted from 1.

    Raises:
        Missing: There is no such document, or no such page.
        Unreadable: The page cannot be drawn.
    """
    info = await find_document(store, sha256)
    if page > info.pages:
        raise Missing(f"there is no page {page}: the document has {info.pages}")
    with TemporaryFile(buffering=0) as source:
        async for chunk in store.documents.chunks(sha256):
            source.write(chunk)
        try:
            arguments = (str(page), resolution, image_conversion)
            answer, png = await child_processes.answer_and_file(_TASK, source, *arguments, limits=_LIMITS)
        except ChildFailed as error:
            raise Unreadable(f"page {page} {_NO_RESULT[error.ending]}: print the PDF to a new one") from error
    if not png:
        raise Unreadable(f"page {page} cannot be drawn: open the document and export it again")
    return Preview(png=png, pages=answer["pages"])
