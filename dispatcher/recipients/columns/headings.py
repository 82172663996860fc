"""Reads one heading: what its column is about, and to which address of the row it belongs."""

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from dispatcher.recipients.columns import vocabulary as v

#: headings that a process caches
_REMEMBERED = 4096


class Subject(StrEnum):
    """What a column is about. The subjects are tried in the order of ``_subject``."""

    OPT_OUT = "opt-out"
    CONSENT = "consent"
    #: about opting out or consent, but it is not clear which values mean what
    PERMISSION = "permission"
    AREA_CODE = "area code"
    COUNTRY = "country"
    #: speaks of a country or region, but of which is not clear
    REGION = "region"
    FAX = "fax"
    #: a fax number, but perhaps not the one to dial: a former one
    DOUBTFUL_FAX = "doubtful fax"
    #: an extension that would have to be dialled after the number
    FAX_EXTENSION = "extension"
    #: speaks of fax, but its values are no numbers
    ABOUT_FAX = "about fax"
    #: may be the number if the list has no column for fax
    NUMBER = "number"
    REFERENCE = "reference"
    #: the label of a number of Google Contacts, such as "Work Fax", and the number
    LABEL = "label"
    LABELLED = "labelled"
    ADDRESS_LABEL = "address label"
    NOTHING = "nothing"


class Heading(NamedTuple):
    """A heading as it is understood."""

    subject: Subject
    #: groups of ``vocabulary.ADDRESSES``; empty for a heading that names no address
    address: frozenset[str] = frozenset()
    #: whether it belongs to a telephone number, and not to a fax number
    phone: bool = False
    #: number of a labelled value, from 1
    position: int = 0


_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_WORD = re.compile(r"[^\W_]+")
_NUMBER_SIGN = re.compile(r"\bn[or]?[.°º]|№|#", re.IGNORECASE)
_NOT = re.compile(r"n['’]t\b")
_FAX_COMPOUND = re.compile(r"(.*?)(?:tele)?fax(?:(?:es|en|e|ing|ed|s)(?=$))?(.*)")
_LABELLED = re.compile(r"(phone|fax|address) (\d+) (label|type|value|country|region)")


def plain(text: str) -> str:
    """Return letters and digits in lower case, without accents, so that spellings of a name are the same."""
    return "".join(_WORD.findall(_without_accents(text)))


@lru_cache(_REMEMBERED)
def words_of(heading: str) -> tuple[str, ...]:
    """Return the words of a heading: in lower case, without accents, compounds with "fax" split."""
    text = _CAMEL.sub(" ", _NUMBER_SIGN.sub(" number ", _NOT.sub("nt", heading)))
    words: list[str] = []
    for word in _WORD.findall(_without_accents(text)):
        compound = _FAX_COMPOUND.fullmatch(word)
        if compound is None or word in v.NOT_FAX or word in v.OPT_OUT:
            words.append("fax" if word in v.FAX else word)
        else:
            words += [part for part in (compound[1], "fax", compound[2]) if part]
            words += ["sent"] if word.endswith("faxed") else []
    return tuple(words)


@lru_cache(_REMEMBERED)
def read_heading(text: str) -> Heading:
    """Return what the heading says."""
    words = words_of(text)
    known = frozenset(words)
    labelled = _LABELLED.match(" ".join(words))
    if labelled is not None and len(words) == 3:
        return _labelled(labelled[1], int(labelled[2]), labelled[3])
    subject = _subject(words, known, plain(text))
    return Heading(subject, _address(words), phone=bool(known & v.PHONE) and "fax" not in known)


def speaks_of_fax(text: str) -> bool:
    """Return whether a heading, or the label of a number, has the word "fax" in it."""
    return "fax" in words_of(text)


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _labelled(kind: str, position: int, part: str) -> Heading:
    if kind == "address":
        address = frozenset({f"address {position}"}) if position > 1 else frozenset[str]()
        subject = {"country": Subject.COUNTRY, "label": Subject.ADDRESS_LABEL, "type": Subject.ADDRESS_LABEL}
        return Heading(subject.get(part, Subject.NOTHING), address, position=position)
    if part in ("label", "type"):
        return Heading(Subject.LABEL, position=position)
    if part == "value":
        return Heading(Subject.FAX if kind == "fax" else Subject.LABELLED, position=position)
    return Heading(Subject.NOTHING)


def _subject(words: Sequence[str], known: frozenset[str], joined: str) -> Subject:
    fax = "fax" in known
    if fax and known & v.INCLUDING:
        before = words[: next(index for index, word in enumerate(words) if word in v.INCLUDING)]
        if "fax" in before:
            return _subject(before, frozenset(before), "".join(before))
    permission = _permission(words, known, fax)
    if permission is not None:
        return permission
    place = _place(known)
    if place is not None:
        return place
    if fax:
        # in "Phone incl. fax", the number is a phone's
        return Subject.ABOUT_FAX if known & v.INCLUDING else _about_fax(words, known)
    if joined in v.NUMBERS:
        return Subject.NUMBER
    return Subject.REFERENCE if joined in v.REFERENCES else Subject.NOTHING


def _about_fax(words: Sequence[str], known: frozenset[str]) -> Subject:
    without_joints = [word for word in words if word not in v.JOINTS]
    both = [pair for pair in pairwise(without_joints) if set(pair) in v.PHONE_OR_FAX]
    # a "facsimile telephone number" is that of a fax
    if any(first != "fax" for first, _ in both) or (both and "number" not in known):
        return Subject.ABOUT_FAX  # its values may be numbers of both
    if known & v.EXTENSION:
        return Subject.FAX_EXTENSION
    behind = frozenset(words[words.index("fax") + 1 :])
    if known & (v.NOT_A_NUMBER | v.CODE) or behind & v.ABOUT_FAX:
        return Subject.ABOUT_FAX
    is_doubtful = known & v.DOUBTFUL or v.OLD_BEHIND_FAX in behind
    return Subject.DOUBTFUL_FAX if is_doubtful else Subject.FAX


def _permission(words: Sequence[str], known: frozenset[str], fax: bool) -> Subject | None:
    """Return the subject of a heading about opting out or consent, or None if it is about neither."""
    opt = bool(known & {"opt", "opted", "opts", "opting"})
    contacts = fax or bool(known & v.CONTACTING)
    out = bool(known & v.OPT_OUT) or (opt and "out" in known) or (contacts and bool(known & v.FORBIDDEN))
    out = out or forbids(words)
    yes = bool(known & v.CONSENT) or (opt and "in" in known) or (contacts and bool(known & v.ALLOWED))
    unclear = (opt and not out and not yes) or bool(known & v.UNCLEAR)
    unclear = unclear or (fax and bool(known & v.PREFERENCES or (known & v.SURE_NEGATIONS and not out and not yes)))
    unclear = unclear or (len(known) > 1 and bool(known & v.TAKEN_OFF) and known <= v.TAKEN_OFF | v.TAKEN_OFF_FILLERS)
    if not (out or yes or unclear) or (known & v.OTHER_CHANNELS and not fax):
        return None
    negated = bool(known & v.NEGATIONS)
    if unclear or known & v.CIRCUMSTANCES:
        return Subject.PERMISSION
    if out:
        # "not opted out" says the opposite, in values that nobody could be sure of
        return Subject.PERMISSION if negated and not forbids(words) else Subject.OPT_OUT
    return Subject.OPT_OUT if negated else Subject.CONSENT


def forbids(words: Sequence[str]) -> bool:
    """Return whether a negation stands before "fax" or a word for contacting. "No. de fax" is a number."""
    number = "de" in words and not v.SURE_NEGATIONS.intersection(words)
    meaning = [word for word in words if word not in v.PERMISSION_FILLERS or (number and word == "de")]
    # a lead that is "not contacted" may be contacted
    forbidden = (v.CONTACTING | {"fax"}) - (set() if "be" in words else {"contacted"})
    return any(first in v.NEGATIONS and second in forbidden for first, second in pairwise(meaning))


def _place(known: frozenset[str]) -> Subject | None:
    """Return the subject of a heading about a country, a region or an area code, or None."""
    if known & v.AREA and known & v.CODE and not known & v.COUNTRY:
        return None if known & v.POSTAL else Subject.AREA_CODE
    if known & v.DIALLING or (known & v.INTERNATIONAL and known & (v.AREA_CODE | v.CODE) and not known & v.COUNTRY):
        return _country(known - v.DIALLING - v.INTERNATIONAL - v.AREA_CODE - v.CODE - v.PHONE)
    if known & v.COUNTRY:
        return _country(known - v.COUNTRY - v.REGION - v.AREA_CODE - v.CODE - v.PHONE)
    if known & v.AREA_CODE:
        return Subject.AREA_CODE
    if known & v.STATE:
        return None
    return Subject.REGION if known & v.REGION or any(map(_is_country_compound, known)) else None


def _country(others: frozenset[str]) -> Subject:
    """Return whether the other words of the heading leave no doubt that it means the country of the address."""
    unknown = others - v.COUNTRY_FILLERS - v.ADDRESSES.keys() - v.ADDRESS_WORDS
    return Subject.REGION if any(not word.isdigit() for word in unknown) else Subject.COUNTRY


def _is_country_compound(word: str) -> bool:
    """Return whether this is a German or Dutch compound such as Lieferland or Herkunftsland."""
    return word.endswith(("sland", "erland", "gsland")) and word not in ("bundesland", "inland", "island", "niederland")


def _address(words: Sequence[str]) -> frozenset[str]:
    groups = {v.ADDRESSES[word] for word in words if word in v.ADDRESSES}
    for word, number in pairwise(words):
        if word in v.ADDRESS_WORDS and number.isdigit() and int(number) > 1:
            groups.add(f"address {int(number)}")
    return frozenset(groups)
