"""Reads the pages of a PDF one after the other, without the repairs that readers make on their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pikepdf import Array, Dictionary, Name, Pdf

from dispatcher.core.counted import counted
from dispatcher.documents.refusals import DAMAGED, NO_PAGES, RefusedDocument

_INHERITED = ("/MediaBox", "/CropBox", "/Resources")
#: 2 m in points; a fax is as wide as a sheet of paper
_MAX_POINTS = 2000 / 25.4 * 72
#: a page of less than a third of a millimetre shows nothing
_MIN_POINTS = 1.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEntry:
    """A page, and what it has from the nodes above it."""

    number: int
    page: Any
    attributes: dict[str, Any]


def pages_of(root: Any, max_pages: int) -> list[PageEntry]:
    """Return all pages in order. Raises RefusedDocument if there are none or too many, or if one is missing."""
    top = root.get("/Pages")
    if not isinstance(top, Dictionary) or not isinstance(top.get("/Kids"), Array):
        raise RefusedDocument(NO_PAGES)
    pages = []
    for number, (page, attributes) in enumerate(_leaves(top), start=1):
        if number > max_pages:
            raise RefusedDocument(
                f"the PDF has more than {counted(max_pages, 'page')}: split it, or raise documents.max_pages in the "
                "policy"
            )
        pages.append(PageEntry(number=number, page=page, attributes=attributes))
    count = top.get("/Count")
    if isinstance(count, int) and count > len(pages):
        raise RefusedDocument(
            f"the PDF is damaged, it has only {len(pages)} of its {counted(count, 'page')}: export it again"
        )
    if not pages:
        raise RefusedDocument(NO_PAGES)
    return pages


def ensure_no_other_page(pdf: Pdf, pages: Sequence[PageEntry]) -> None:
    """Raise RefusedDocument if a page of the file is not in the tree. Of a tree that repeats a page, it is damage."""
    in_tree = {entry.page.objgen for entry in pages}
    for part in pdf.objects:
        if isinstance(part, Dictionary) and part.get("/Type") == Name.Page and part.objgen not in in_tree:
            raise RefusedDocument("the PDF is damaged, a page is there twice and another is missing: export it again")


def _leaves(top: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    above, stack = set(), [(top, dict[str, Any]())]
    number = 0
    while stack:
        node, attributes = stack.pop()
        if not isinstance(node, Dictionary):
            raise RefusedDocument(f"the PDF is damaged, page {number + 1} is missing: export it again")
        attributes = attributes | {key: node.get(key) for key in _INHERITED if node.get(key) is not None}
        kids = node.get("/Kids")
        if isinstance(kids, Array):
            if node.objgen in above:
                raise RefusedDocument(DAMAGED)
            above |= {node.objgen} if node.is_indirect else set()
            stack += [(kid, attributes) for kid in reversed(list(kids))]
        elif node.get("/Type", Name.Page) != Name.Page:
            raise RefusedDocument(f"the PDF is damaged, page {number + 1} is missing: export it again")
        else:
            number += 1
            yield node, attributes


def ensure_size(entry: PageEntry) -> None:
    """Raise RefusedDocument if a page has no area, or is larger than any sheet of paper."""
    number, attributes = entry.number, entry.attributes
    media = _box(attributes.get("/MediaBox"))
    crop = _box(attributes["/CropBox"]) if "/CropBox" in attributes else media
    unit = entry.page.get("/UserUnit", 1)
    scale = float(unit) if isinstance(unit, int | Decimal) else 1.0
    if not media or not crop or min(_sides(_common(media, crop))) * scale < _MIN_POINTS:
        raise RefusedDocument(f"page {number} of the PDF has no area to print on: export it with a paper size")
    if max(*_sides(media), *_sides(crop)) * scale > _MAX_POINTS:
        raise RefusedDocument(f"page {number} of the PDF is longer than 2 m: export it with a paper size")


def has_fields(page: Any) -> bool:
    """Return whether a page has fields of a form."""
    annotations = page.get("/Annots")
    return any(
        isinstance(annotation, Dictionary) and annotation.get("/Subtype") == Name.Widget
        for annotation in (annotations if isinstance(annotations, Array) else ())
    )


def _box(value: Any) -> Box | None:
    numbers = list(value) if isinstance(value, Array) else []
    if len(numbers) != 4 or not all(isinstance(number, int | Decimal) for number in numbers):
        return None
    left, bottom, right, top = map(float, numbers)  # any two opposite corners
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


def _common(first: Box, second: Box) -> Box:
    return max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3])


def _sides(box: Box) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]
