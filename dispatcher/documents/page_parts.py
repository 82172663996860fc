"""Follows a page of a PDF to everything that its picture is made of, and refuses the document if a part is damaged."""

import re
from collections.abc import Iterator
from typing import Any

from pikepdf import Array, Dictionary, Name, Pdf, Stream

from dispatcher.documents.content_syntax import is_readable
from dispatcher.documents.page_tree import PageEntry
from dispatcher.documents.refusals import RefusedDocument, damaged_page
from dispatcher.documents.unpacking import BrokenStream, Unpacker, checks_itself, drawn_only

#: keys whose values do not change the picture of a page
_UNSEEN = frozenset(
    {
        *("/Parent", "/P", "/Metadata", "/ToUnicode", "/PieceInfo", "/StructParent", "/StructParents", "/Thumb", "/B"),
        *("/A", "/AA", "/Dest", "/Popup", "/IRT", "/OC", "/Alternates", "/Measure", "/AF", "/OPI", "/Properties"),
        *("/Annots", "/Contents", "/Ref", "/SourceDictionary", "/PtData"),
    }
)
#: keys whose values a picture needs: without them readers guess
_NEEDED = frozenset(
    {
        *("/FontDescriptor", "/FontFile", "/FontFile2", "/FontFile3", "/DescendantFonts", "/CharProcs", "/Encoding"),
        *("/SMask", "/Mask", "/ColorSpace", "/CS", "/Function", "/Functions", "/Shading", "/Resources", "/N"),
    }
)
#: keys whose values are by names of the document's own
_BY_NAME = frozenset({"/Font", "/XObject", "/Pattern", "/Shading", "/ColorSpace", "/ExtGState", "/CharProcs", "/N"})
#: kinds of resources, by the operator that names them
_NAMED = {"/Font": rb"/([^\s/<>()\[\]{}%]+)\s+[-+.\d]+\s+Tf\b", "/XObject": rb"/([^\s/<>()\[\]{}%]+)\s+Do\b"}
#: kinds of resources of which an entry that leads nowhere counts if its name occurs
_MENTIONED = ("/Pattern", "/Shading", "/ColorSpace")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
#: what qpdf warns of when an object is not written as its length or its brackets say, with the object's number
_FAULT = re.compile(
    r"object (\d+) \d+\b.*(?:recovered stream length|treating stream as empty|inserting key|treating as (?:null|string)"
    r"|unexpected EOF|ended prematurely|parse error|unexpected dictionary close|too many errors)"
)
#: no program writes them into the content of a page; disks and downloads do
_ZEROS = bytes(16)
_IGNORED_PAGE, _GUESSED_SIZE = "Pages tree includes", "MediaBox is undefined"
_REPEATED_PAGE = "appears more than once in the pages tree"


class PageParts:
    """The parts of one document that were looked at."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._unpacker = Unpacker(pdf)
        self._seen = set[tuple[int, int]]()
        self._faulty = set[int]()
        #: whether qpdf has copied a page, because the tree has it twice
        self.repeats_a_page = False
        #: numbers of pages with pictures that only drawing unpacks
        self.with_drawn_pictures = set[int]()

    def ensure_sound(self, entry: PageEntry) -> None:
        """Raise RefusedDocument if something that the page needs is missing or does not unpack."""
        number, page = entry.number, entry.page
        resources = entry.attributes.get("/Resources")
        content = b"\n".join(self._content(part, number) for part in _parts(page, number))
        if not is_readable(content):
            raise damaged_page(number, "the content")
        _ensure_named(content, resources, number)
        self._follow([page, resources, *_appearances(page)], resources, number)
        if page.is_indirect and page.objgen[0] in self._faults():
            raise damaged_page(number, "the description")

    def _content(self, part: Any, number: int) -> bytes:
        if not isinstance(part, Stream):
            raise damaged_page(number, "the content")
        content = self._unpacked(part, number, "the content", keep=True)
        if _ZEROS in content:
            raise damaged_page(number, "the content")
        return content

    def _follow(self, start: list[Any], resources: Any, number: int) -> None:
        """Look at all parts that can be reached. Parts that several pages share are looked at once."""
        stack = list(start)
        while stack:
            part = stack.pop()
            if isinstance(part, Array):
                stack += _members(part, number)
                continue
            if not isinstance(part, Dictionary | Stream) or self._seen_before(part):
                continue
            if isinstance(part, Stream):
                self._look_at(part, resources, number)
            elif part.is_indirect and part.objgen[0] in self._faults():
                raise damaged_page(number, "a part")
            stack += _values(part, number)

    def _seen_before(self, part: Any) -> bool:
        if not part.is_indirect:
            return False
        seen = part.objgen in self._seen
        self._seen.add(part.objgen)
        return seen

    def _look_at(self, stream: Any, resources: Any, number: int) -> None:
        draws = stream.get("/Subtype") == Name.Form or stream.get("/PatternType") == 1
        what = "a picture" if stream.get("/Subtype") == Name.Image else "a part"
        content = self._unpacked(stream, number, what, keep=draws)
        if draws:
            if not is_readable(content):
                raise damaged_page(number, what)
            _ensure_named(content, stream.get("/Resources", resources), number)
        if drawn_only(stream):
            self.with_drawn_pictures.add(number)

    def _unpacked(self, stream: Any, number: int, what: str, *, keep: bool) -> bytes:
        try:
            content = self._unpacker.unpack(stream, keep=keep)
        except (BrokenStream, UnicodeDecodeError) as error:  # the latter in the name of a filter
            raise damaged_page(number, what) from error
        if stream.objgen[0] in self._faults() and not checks_itself(stream):
            raise damaged_page(number, what)
        return content

    def _faults(self) -> set[int]:
        """Numbers of the objects that qpdf has had to guess at until now."""
        for warning in self._pdf.get_warnings():
            if match := _FAULT.search(warning):
                self._faulty.add(int(match[1]))
            elif _REPEATED_PAGE in warning:
                self.repeats_a_page = True
            elif _IGNORED_PAGE in warning:
                raise RefusedDocument("the PDF is damaged, a page is missing: export it again")
            elif _GUESSED_SIZE in warning:
                raise RefusedDocument("a page of the PDF has no area to print on: export it with a paper size")
        return self._faulty


def _parts(page: Any, number: int) -> list[Any]:
    """Return the streams of a page's content. It has none if it is blank."""
    if "/Contents" in page:
        contents = page.Contents
        return list(contents) if isinstance(contents, Array) else [contents]
    if any(key == "/Contents" for key, _ in page.items()):  # it leads nowhere
        raise damaged_page(number, "the content")
    return []


def _appearances(page: Any) -> Iterator[Any]:
    """Yield how the annotations of a page look, such as stamps and filled fields."""
    annotations = page.get("/Annots")
    for annotation in annotations if isinstance(annotations, Array) else []:
        appearance = annotation.get("/AP") if isinstance(annotation, Dictionary) else None
        if isinstance(appearance, Dictionary):
            yield appearance.get("/N")


def _values(part: Any, number: int) -> Iterator[Any]:
    for key, value in part.items():
        if value is None and key in _NEEDED:
            raise damaged_page(number, "a part")
        if value is None or key in _UNSEEN:
            continue
        by_name = key in _BY_NAME and isinstance(value, Dictionary) and "/ShadingType" not in value
        if by_name:  # any name may be there, also such as are unseen elsewhere
            yield from (entry for _, entry in value.items() if entry is not None)
        if not by_name or value.is_indirect:
            yield value


def _members(part: Any, number: int) -> Iterator[Any]:
    for value in part:
        if value is None:
            raise damaged_page(number, "a part")
        yield value


def _ensure_named(content: bytes, resources: Any, number: int) -> None:
    """Raise RefusedDocument if content uses a font or picture that is not there, because readers would leave it out."""
    for kind, pattern in _NAMED.items():
        entries = resources.get(kind) if isinstance(resources, Dictionary) else None
        for name in set(re.findall(pattern, content)):
            key = "/" + _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), name).decode("utf-8", "replace")
            if not isinstance(entries, Dictionary) or not isinstance(entries.get(key), Dictionary | Stream):
                raise damaged_page(number, "a font" if kind == "/Font" else "a picture")
    for kind in _MENTIONED:
        entries = resources.get(kind) if isinstance(resources, Dictionary) else None
        for key, value in entries.items() if isinstance(entries, Dictionary) else ():
            if value is None and key.encode() in content:
                raise damaged_page(number, "a part")
