"""Decides which column of a list has which role, or why nobody can be sure of it.

The decision is made once for a list, from its headings and its first rows. It needs nothing else, and it never guesses:
where more than one column could be meant, the list is refused with the candidates and with the option that names one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple

from dispatcher.recipients.columns.clues import Clue, ClueKind, kind_of
from dispatcher.recipients.columns.headings import Heading, Subject, plain, read_heading, speaks_of_fax, words_of
from dispatcher.recipients.columns.options import ColumnOptions, Role
from dispatcher.recipients.columns.permission import is_flag, is_opted_out, names_telephone, says_opted_out
from dispatcher.recipients.columns.values import CountryColumn, country_column, is_calling_code
from dispatcher.recipients.columns.vocabulary import (
    EXTENSION,
    KINDS,
    OTHER_CHANNELS,
    PERSONS,
    PREFERENCES,
    PREFERRED,
    REFERENCES,
    SENDING,
    STATUS,
)

#: headings that a refusal names, and characters of each
_SHOWN, _SHOWN_CHARACTERS = 20, 60
#: digits of the shortest text that may be a number
_FEWEST_DIGITS = 3
_DELIMITER = re.compile(r"[,;\t|]")
#: rows whose values are looked at in columns that nobody uses
_ROWS_OF_VALUES = 100
#: the country of a computer's address, and of a tax number: they say nothing about a number
_ELSEWHERE = (frozenset({"ip"}), frozenset({"vat"}))
_NO_COUNTRY = "no_country=true (--no-country) if the numbers are of no other country"


class LabelledNumber(NamedTuple):
    """Columns of a number whose label says what it is, as Google Contacts writes them."""

    label: int
    value: int


class LabelledCountry(NamedTuple):
    """Columns of a country and of the label of its address; ``label`` is -1 if there is none."""

    label: int
    value: int


class Roles(NamedTuple):
    """The columns that are used, by position; -1 or empty for a role that no column has."""

    number: int
    #: several only if they say the same: the name and the code of one country
    country: tuple[int, ...] = ()
    area_code: int = -1
    reference: int = -1
    opt_out: tuple[int, ...] = ()
    consent: tuple[int, ...] = ()
    #: columns that could be meant too, but are empty so far; a value in one of them refuses the list
    empty: tuple[tuple[int, Role], ...] = ()
    labelled_numbers: tuple[LabelledNumber, ...] = ()
    labelled_countries: tuple[LabelledCountry, ...] = ()
    #: columns that nobody uses and that may say the country of a number
    may_say_country: tuple[CountryColumn, ...] = ()
    #: columns that nobody uses and that may say that somebody opted out
    may_opt_out: tuple[int, ...] = ()
    #: columns that may say that a number is no fax number
    may_be_telephone: tuple[int, ...] = ()
    #: columns that may show the country of a row that names none
    clues: tuple[Clue, ...] = ()


class Fault(Enum):
    """Why a list is refused."""

    NO_NUMBER = auto()
    NO_SUCH_COLUMN = auto()
    AMBIGUOUS = auto()
    DUPLICATE = auto()
    UNUSED = auto()
    SECOND_HEADING = auto()


class Refusal(NamedTuple):
    """Why the columns are not clear, and what to do. ``undecided`` becomes clear with a row that has a value."""

    fault: Fault
    what: str
    what_to_do: str
    undecided: bool = False


def decide(names: Sequence[str], rows: Sequence[Sequence[str]], options: ColumnOptions) -> Roles | Refusal:
    """Return the roles of the columns, or the refusal.

    Args:
        names: The headings.
        rows: The first rows, each as long as the headings.
        options: What the caller says.
    """
    return _Decision(names, rows, options).decide()


def has_number_column(names: Sequence[str], options: ColumnOptions) -> bool:
    """Return whether a column with one of these headings could be the number."""
    if options.number:
        return any(plain(name) == plain(options.number) for name in names)
    subjects = {read_heading(name).subject for name in names}
    return bool(subjects & {Subject.FAX, Subject.DOUBTFUL_FAX, Subject.NUMBER, Subject.LABELLED})


def second_heading(row: Sequence[str], options: ColumnOptions) -> Refusal | None:
    """Return the refusal of a list whose first row has no number, but words that belong into headings.

    "Fax 1" is a heading in spite of its digit.
    """
    if options.settled or any(map(_is_data, row)):
        return None
    headings = [value for value in row if value.strip() and _is_heading(value)]
    if not headings:
        return None
    what = f"The row after the headings looks like a second row of headings, with {_quoted(headings)}."
    advice = "Leave one row of headings, the one that names the fax number, and remove the other."
    return Refusal(Fault.SECOND_HEADING, what, advice)


def refusal_of_value(names: Sequence[str], column: int, role: Role) -> Refusal:
    """Return the refusal of a list with a value in a column that was empty so far."""
    what = f"There is a value in the column {_quoted([names[column]])}, which was empty in the rows before."
    return Refusal(Fault.AMBIGUOUS, what, _name_it(role, [names[column]]))


def refusal_of_country(names: Sequence[str], column: int, value: str, assumed: str) -> Refusal:
    """Return the refusal of a list with a column that contradicts the country assumed for a number."""
    what = (
        f"The column {_quoted([names[column]])} has {_quoted([value])} beside a national number, but is not used;"
        f" the number would be dialled in {assumed}."
    )
    return Refusal(Fault.UNUSED, what, _name_it(Role.COUNTRY, [names[column]]))


def refusal_of_opt_out(names: Sequence[str], column: int, value: str) -> Refusal:
    """Return the refusal of a list with a column that says that somebody opted out, and that is not used."""
    what = f"The column {_quoted([names[column]])} has {_quoted([value])}, but is not used."
    named = f"{Role.NUMBER.parameter}, and {Role.COUNTRY.parameter} or no_country"
    advice = f"{_name_it(Role.OPT_OUT, [names[column]])} To send in spite of it, name number and country ({named})."
    return Refusal(Fault.UNUSED, what, advice)


def refusal_of_telephone(names: Sequence[str], column: int, value: str) -> Refusal:
    """Return the refusal of a list with a column that says that a number is one of a telephone."""
    what = f"The column {_quoted([names[column]])} has {_quoted([value])}, so not all numbers are those of a fax."
    named = f"{Role.NUMBER.parameter}, and {Role.COUNTRY.parameter} or no_country"
    advice = f"Leave the rows of fax numbers in the list. To dial all of them, name number and country ({named})."
    return Refusal(Fault.UNUSED, what, advice)


def with_line_of_headings(
    refusal: Refusal, names: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]], options: ColumnOptions
) -> Refusal:
    """Add the line that seems to have the headings, because titles stand above it, to the refusal of a list.

    A title tells nothing about the delimiter, so the rows may still be whole lines.
    """
    if refusal.fault not in (Fault.NO_NUMBER, Fault.SECOND_HEADING):
        return refusal
    title = sum(bool(name.strip()) for name in names)
    for line, values in rows:
        cells = [cell for value in values for cell in _DELIMITER.split(value)]
        if len(cells) > title and not any(map(_is_data, cells)) and has_number_column(cells, options):
            shown = _quoted(cell for cell in cells[:_SHOWN] if cell.strip())
            advice = (
                f"Line {line} seems to have the headings ({shown}): remove the lines above it and send the list again."
            )
            return refusal._replace(what_to_do=advice)
    return refusal


def decide_nested(names: Sequence[str], values: Sequence[str], options: ColumnOptions) -> Roles | Refusal:
    """Return the roles of the members of an object inside a row, which never name its number.

    Args:
        names: The names of the members.
        values: The values of the first row with these members.
        options: What the caller says; the columns that it names are not among these.
    """
    return _Decision(names, [values], options).decide_nested()


class _Refused(Exception):
    """Ends a decision; never leaves this module."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


class _Decision:
    """One decision: the headings with what is known of their columns."""

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[str]], options: ColumnOptions) -> None:
        self._names = names
        self._rows = rows
        self._options = options
        self._headings: list[Heading] = [read_heading(name) for name in names]
        self._named: dict[Role, int] = {}
        self._empty: list[tuple[int, Role]] = []

    def decide(self) -> Roles | Refusal:
        try:
            self._named = {role: self._column_named(role, heading) for role, heading in self._options.named()}
            number, labelled = self._number()
            country, countries = self._country(number, bool(labelled))
            roles = Roles(
                number,
                country,
                self._area_code(),
                self._reference(),
                self._permissions(Role.OPT_OUT, Subject.OPT_OUT),
                self._permissions(Role.CONSENT, Subject.CONSENT),
                tuple(self._empty),
                labelled,
                countries,
            )
            return self._with_values(roles)
        except _Refused as refused:
            return refused.refusal

    def decide_nested(self) -> Roles | Refusal:
        try:
            if self._options.settled and (self._options.opt_out or self._options.consent):
                return Roles(-1)
            out = self._permissions(Role.OPT_OUT, Subject.OPT_OUT)
            roles = Roles(-1, (), -1, -1, out, self._permissions(Role.CONSENT, Subject.CONSENT), tuple(self._empty))
            return self._with_values(roles)
        except _Refused as refused:
            return refused.refusal

    # the values of columns that nobody uses

    def _with_values(self, roles: Roles) -> Roles:
        """Return the roles with the columns whose values say something that the headings do not."""
        if self._options.settled:
            return roles
        used = {roles.number, roles.area_code, roles.reference, *roles.country, *roles.opt_out, *roles.consent}
        used |= {pair.value for pair in roles.labelled_numbers}
        used |= {index for index, _ in roles.empty}
        unused = [index for index in range(len(self._names)) if index not in used]
        rows = self._rows[:_ROWS_OF_VALUES]
        sent = [row for row in rows if not any(is_opted_out(row[index]) for index in roles.opt_out)]
        values = {index: _different(sent, index) for index in unused}
        return roles._replace(
            may_say_country=tuple(self._may_say_country(roles, values)),
            may_opt_out=tuple(self._may_opt_out(roles, values)),
            may_be_telephone=tuple(self._may_be_telephone(roles, values)),
            clues=tuple(self._clues(roles, unused)),
        )

    def _clues(self, roles: Roles, unused: Sequence[int]) -> Iterator[Clue]:
        if self._options.no_country:
            return
        for pair in roles.labelled_numbers:
            yield Clue(pair.value, ClueKind.TELEPHONE)
        for index in unused:
            kind = kind_of(self._names[index])
            if kind is not None:
                yield Clue(index, kind)

    def _may_say_country(self, roles: Roles, values: Mapping[int, Sequence[str]]) -> Iterator[CountryColumn]:
        if self._options.country or self._options.no_country:
            return
        # a country of another address was judged by its heading
        judged = (Subject.COUNTRY, Subject.ADDRESS_LABEL, Subject.LABEL) if roles.number >= 0 else ()
        for index, said in values.items():
            heading = self._headings[index]
            if heading.subject in judged or heading.address in _ELSEWHERE:
                continue
            column = country_column(index, self._names[index], said, is_country=heading.subject is Subject.COUNTRY)
            if column is not None:
                yield column

    def _may_opt_out(self, roles: Roles, values: Mapping[int, Sequence[str]]) -> Iterator[int]:
        """Yield the columns that may say in later rows that somebody opted out; refuse one that says so already."""
        if roles.opt_out and Role.OPT_OUT in self._named:
            return
        for index, said in values.items():
            words = frozenset(words_of(self._names[index]))
            if words & OTHER_CHANNELS and "fax" not in words:
                continue
            if words and words <= SENDING and said and all(map(is_flag, said)):
                self._refuse_unused([index], Role.OPT_OUT)
            if words & PERSONS and not words & (STATUS | PREFERRED | PREFERENCES):
                continue  # "No Fax Solutions" is a company
            out = next((value for value in said if says_opted_out(value)), None)
            if out is not None:
                raise _Refused(refusal_of_opt_out(self._names, index, out))
            if words & STATUS:
                yield index

    def _may_be_telephone(self, roles: Roles, values: Mapping[int, Sequence[str]]) -> Iterator[int]:
        """Yield the columns that may say in later rows what kind of number it is; refuse one that says "mobile"."""
        if roles.number < 0 or self._headings[roles.number].subject is not Subject.NUMBER:
            return
        for index, said in values.items():
            words = frozenset(words_of(self._names[index]))
            if words & PREFERRED or words & PREFERENCES:
                continue
            telephone = next(filter(names_telephone, said), None)
            if telephone is not None:
                raise _Refused(refusal_of_telephone(self._names, index, telephone))
            if words & KINDS:
                yield index

    def _column_named(self, role: Role, heading: str) -> int:
        """Return the column that the caller names."""
        exact = [index for index, name in enumerate(self._names) if name.strip() == heading.strip()]
        similar = exact or [index for index, name in enumerate(self._names) if plain(name) == plain(heading)]
        if len(similar) == 1:
            return similar[0]
        if similar:
            what = f"{len(similar)} columns are named {_quoted([heading])}, which {role.parameter} names."
            raise _Refused(Refusal(Fault.AMBIGUOUS, what, "Give them different names, and name the right one."))
        what = f"No column is named {_quoted([heading])}, which {role.parameter} names; there is {self._listed()}."
        advice = f"Name one of these with {role.parameter} (on the command line, {role.option})."
        raise _Refused(Refusal(Fault.NO_SUCH_COLUMN, what, advice))

    # the number

    def _number(self) -> tuple[int, tuple[LabelledNumber, ...]]:
        if Role.NUMBER in self._named:
            return self._named[Role.NUMBER], ()
        free = [index for index in range(len(self._names)) if index not in self._named.values()]
        doubtful = [index for index in free if self._headings[index].subject is Subject.DOUBTFUL_FAX]
        fax = [index for index in free if self._headings[index].subject is Subject.FAX or index in doubtful]
        flags = [index for index in fax if self._is_flag(index)]
        if len(flags) < len(fax):
            self._refuse_unused(flags, Role.OPT_OUT)
            fax = [index for index in fax if index not in flags]
        if fax:
            return self._only_fax(fax, doubtful), ()
        labelled = self._labelled_numbers()
        if labelled:
            return labelled[0].value, labelled
        about = [index for index in free if self._headings[index].subject in (Subject.ABOUT_FAX, Subject.FAX_EXTENSION)]
        numbers = [index for index in free if self._headings[index].subject is Subject.NUMBER]
        numbers = [index for index in numbers if self._may_be_numbers(index)] or numbers
        if about and (numbers or self._filled(about)):
            what = f"{self._quoted(about)} speaks of fax, but it is not clear that its values are fax numbers."
            raise _Refused(Refusal(Fault.UNUSED, what, _name_it(Role.NUMBER, self._shown([*about, *numbers]))))
        if not numbers:
            raise _Refused(self._no_number())
        return self._only(self._with_other_phones(numbers, free), Role.NUMBER, "the number"), ()

    def _is_flag(self, column: int) -> bool:
        """Return whether a column says only yes and no: "Fax" beside "Fax number"."""
        values = _different(self._rows[:_ROWS_OF_VALUES], column)
        return bool(values) and all(is_flag(value) and not any(map(str.isdigit, value)) for value in values)

    def _only_fax(self, fax: Sequence[int], doubtful: Sequence[int]) -> int:
        """Return the only column of fax numbers, unless it is one that perhaps nobody wants to dial."""
        number = self._only(fax, Role.NUMBER, "the fax number")
        if number in doubtful:
            what = f"{self._quoted([number])} speaks of fax, but it is not clear that these are the numbers to dial."
            raise _Refused(Refusal(Fault.UNUSED, what, _name_it(Role.NUMBER, self._shown([number]))))
        return number

    def _with_other_phones(self, numbers: list[int], free: Sequence[int]) -> list[int]:
        """Return the columns with other telephone numbers: a list with "Phone" and "Mobile" has two to choose from."""
        if not any(self._headings[index].phone for index in numbers):
            return numbers
        phones = [index for index in free if self._headings[index].phone and index not in numbers]
        return numbers + [index for index in phones if self._headings[index].subject is Subject.NOTHING]

    def _no_number(self) -> Refusal:
        what = f"No column is named as the fax number; found {self._listed()}."
        advice = (
            "Name the columns in the first line, one of them 'number' or 'fax', or name the column with "
            f"{Role.NUMBER.parameter} (on the command line, {Role.NUMBER.option})."
        )
        return Refusal(Fault.NO_NUMBER, what, advice)

    def _may_be_numbers(self, column: int) -> bool:
        """Return whether the column's values have digits; a column "Recipient" may have names."""
        values = [row[column] for row in self._rows if row[column].strip()]
        return not values or any(sum(map(str.isdigit, value)) >= _FEWEST_DIGITS for value in values)

    def _labelled_numbers(self) -> tuple[LabelledNumber, ...]:
        labels = {heading.position: i for i, heading in enumerate(self._headings) if heading.subject is Subject.LABEL}
        values = {
            heading.position: i for i, heading in enumerate(self._headings) if heading.subject is Subject.LABELLED
        }
        return tuple(LabelledNumber(labels[position], values[position]) for position in sorted(labels & values.keys()))

    # the country

    def _country(self, number: int, labelled: bool) -> tuple[tuple[int, ...], tuple[LabelledCountry, ...]]:
        if Role.COUNTRY in self._named:
            return (self._named[Role.COUNTRY],), ()
        if self._options.no_country:
            return (), ()
        columns = [index for index in self._with(Subject.COUNTRY) if index != number]
        if labelled:
            labels = {h.position: i for i, h in enumerate(self._headings) if h.subject is Subject.ADDRESS_LABEL}
            countries = [index for index in columns if self._headings[index].position]
            self._refuse_unused([index for index in columns if index not in countries], Role.COUNTRY)
            pairs = (LabelledCountry(labels.get(self._headings[index].position, -1), index) for index in countries)
            return (), tuple(pairs)
        used = self._countries_of(number, columns)
        if not used:
            self._refuse_unused([*columns, *self._with(Subject.REGION)], Role.COUNTRY)
            return (), ()
        self._refuse_unused(self._doubtful_beside(used), Role.COUNTRY)
        return used, ()

    def _countries_of(self, number: int, columns: Sequence[int]) -> tuple[int, ...]:
        """Return the country columns of the number's address."""
        mine = self._headings[number].address
        fax_number = not self._headings[number].phone
        own = [i for i in columns if self._headings[i].address == mine and not (self._headings[i].phone and fax_number)]
        own = own or [index for index in columns if not self._headings[index].address]
        if own:
            return self._same_country(own)
        if mine:
            return ()
        # the number names no address: the only filled country is meant, and beside others that of the business
        others = [index for index in columns if self._headings[index].address not in _ELSEWHERE]
        business = [index for index in others if self._headings[index].address == {"work"}]
        return self._same_country(business or others) if others else ()

    def _same_country(self, columns: Sequence[int]) -> tuple[int, ...]:
        """Return the only column that is not empty, or the name and the code of one country."""
        filled = self._filled(columns)
        codes = [index for index in filled if _is_code(self._names[index])]
        addresses = {self._headings[index].address for index in filled}
        if len(filled) == 2 and len(codes) == 1 and len(addresses) == 1:
            self._watch([index for index in columns if index not in filled], Role.COUNTRY)
            return (next(index for index in filled if index not in codes), codes[0])
        if len(filled) < 2:
            chosen = filled[0] if filled else columns[0]
            self._watch([index for index in columns if index != chosen], Role.COUNTRY)
            return (chosen,)
        return (self._only(columns, Role.COUNTRY, "the country"),)

    def _doubtful_beside(self, used: Sequence[int]) -> list[int]:
        """Return unclear headings about a country beside the country that is used.

        "Region" alone is a part of that country, as in "State/Region".
        """
        unclear = self._with(Subject.REGION)
        addresses = {frozenset[str](), *(self._headings[index].address for index in used)}
        return [i for i in unclear if not _is_region(self._names[i]) and self._headings[i].address in addresses]

    # the other roles

    def _area_code(self) -> int:
        if Role.AREA_CODE in self._named:
            return self._named[Role.AREA_CODE]
        columns = self._with(Subject.AREA_CODE)
        own = [index for index in columns if not self._headings[index].phone]
        self._refuse_unused([index for index in columns if index not in own], Role.AREA_CODE)
        if not own or (self._options.settled and len(own) > 1):
            return -1
        column = self._only(own, Role.AREA_CODE, "the area code")
        if any(map(is_calling_code, _different(self._rows[:_ROWS_OF_VALUES], column))) and not self._options.settled:
            what = f"{self._quoted([column])} has calling codes of countries and not area codes."
            raise _Refused(Refusal(Fault.UNUSED, what, _name_it(Role.COUNTRY, self._shown([column]))))
        return column

    def _reference(self) -> int:
        if Role.REFERENCE in self._named:
            return self._named[Role.REFERENCE]
        from_best = sorted(self._with(Subject.REFERENCE), key=lambda index: _rank(self._names[index]))
        return next((index for index in from_best if index not in self._named.values()), -1)

    def _permissions(self, role: Role, subject: Subject) -> tuple[int, ...]:
        """Return all columns that may forbid a row; what is not clear is asked about once."""
        if role is Role.OPT_OUT and not self._options.settled:
            self._refuse_unused(self._with(Subject.PERMISSION), Role.OPT_OUT)
            self._refuse_unused([*self._with(Subject.FAX_EXTENSION), *self._extensions()], Role.NUMBER)
        named = (self._named[role],) if role in self._named else ()
        return named if named and self._options.settled else (*named, *self._with(subject))

    def _extensions(self) -> list[int]:
        """Return the columns of extensions that belong to no telephone, and so to the fax number."""
        if any(heading.phone for heading in self._headings):
            return []
        return [i for i, name in enumerate(self._names) if name.strip() and EXTENSION.issuperset(words_of(name))]

    # what they share

    def _with(self, subject: Subject) -> list[int]:
        named = self._named.values()
        return [i for i, heading in enumerate(self._headings) if heading.subject is subject and i not in named]

    def _filled(self, columns: Iterable[int]) -> list[int]:
        return [index for index in columns if any(row[index].strip() for row in self._rows)]

    def _only(self, columns: Sequence[int], role: Role, meaning: str) -> int:
        """Return the only column that has values, and watch that the others stay empty."""
        if len(columns) == 1:
            return columns[0]
        filled = self._filled(columns)
        if len(filled) != 1:
            if len({plain(name) for name in self._shown(filled)}) == 1:
                what = f"Two columns are named {self._quoted(filled[-1:])}."
                raise _Refused(Refusal(Fault.DUPLICATE, what, "Rename or remove one of them."))
            what = f"More than one column could be {meaning}: {self._quoted(filled or columns)}."
            advice = _name_it(role, self._shown(filled or columns))
            raise _Refused(Refusal(Fault.AMBIGUOUS, what, advice, undecided=not filled))
        self._watch([index for index in columns if index != filled[0]], role)
        return filled[0]

    def _refuse_unused(self, columns: Sequence[int], role: Role) -> None:
        """Refuse the list for columns whose headings say that they matter, unless they are empty."""
        if self._options.settled:
            return
        filled = self._filled(columns)
        if filled:
            what = f"{self._quoted(filled)} says something about the {_MEANINGS[role]}, but is not used."
            raise _Refused(Refusal(Fault.UNUSED, what, _name_it(role, self._shown(filled))))
        self._watch(columns, role)

    def _watch(self, columns: Iterable[int], role: Role) -> None:
        if not self._options.settled:
            self._empty += [(index, role) for index in columns]

    def _shown(self, columns: Iterable[int]) -> list[str]:
        return [self._names[index] for index in columns]

    def _quoted(self, columns: Iterable[int]) -> str:
        return _quoted(self._shown(columns))

    def _listed(self) -> str:
        return _quoted(self._names[:_SHOWN])


_MEANINGS = {
    Role.NUMBER: "number to dial",
    Role.COUNTRY: "country of the number",
    Role.AREA_CODE: "area code of the number",
    Role.OPT_OUT: "permission to send",
}


def _name_it(role: Role, candidates: Sequence[str]) -> str:
    """Return the advice that names the parameters and options to type."""
    shown = candidates[0].strip()[:_SHOWN_CHARACTERS]
    advice = f"Name the right column, such as {role.parameter}={shown} (on the command line, {role.option} '{shown}')"
    match role:
        case Role.COUNTRY:
            return f"{advice}, or say {_NO_COUNTRY}."
        case Role.OPT_OUT:
            consent = Role.CONSENT
            return f"{advice}, or {consent.parameter} ({consent.option}) if its values say who may be faxed."
    return f"{advice}."


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name.strip()[:_SHOWN_CHARACTERS]}'" for name in names)


def _different(rows: Iterable[Sequence[str]], column: int) -> list[str]:
    """Return the different values of a column."""
    return list(dict.fromkeys(row[column] for row in rows if row[column]))


def _rank(name: str) -> int:
    return REFERENCES.index(plain(name))


def _is_code(name: str) -> bool:
    return any(part in plain(name) for part in ("code", "iso", "dial", "calling", "kennz", "vorwahl", "lkz"))


def _is_region(name: str) -> bool:
    return plain(name) in ("region", "regio", "regione", "regionname")


def _is_heading(value: str) -> bool:
    """Return whether a value of the first row is a heading itself."""
    return speaks_of_fax(value) or read_heading(value).subject in (Subject.NUMBER, Subject.COUNTRY, Subject.AREA_CODE)


def _is_data(value: str) -> bool:
    """Return whether a value of the first row has digits, other than those of a heading such as "Telephone 1"."""
    digits = sum(map(str.isdigit, value))
    return digits > 0 and (digits >= _FEWEST_DIGITS or not (_is_heading(value) or read_heading(value).phone))
