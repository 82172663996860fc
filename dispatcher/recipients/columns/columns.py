"""Takes the values of a row apart by the roles of its columns."""

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import NamedTuple

from phonenumbers import country_code_for_region

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.columns.clues import Clue, other_country_of
from dispatcher.recipients.columns.google import country_of, fax_numbers
from dispatcher.recipients.columns.headings import plain
from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions, Role
from dispatcher.recipients.columns.permission import has_consent, is_opted_out, names_telephone, says_opted_out
from dispatcher.recipients.columns.roles import (
    Refusal,
    Roles,
    decide,
    decide_nested,
    refusal_of_country,
    refusal_of_opt_out,
    refusal_of_telephone,
    refusal_of_value,
)
from dispatcher.recipients.columns.values import other_country
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row, refused

#: columns of a list, with number, country and reference, and characters of a column's name
MAX_COLUMNS, MAX_NAME_CHARACTERS = 400, 200


class UnexpectedValue(Exception):
    """Raised by ``Columns.row`` for a value in a column that could be meant too and was empty so far."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


class Columns(NamedTuple):
    """The roles of a list's columns; ``fields`` are the columns that have none, by name."""

    names: tuple[str, ...]
    roles: Roles
    #: the columns that every row needs; -1 for one that the list does not have
    number: int
    country: int
    reference: int
    field_names: tuple[str, ...]
    field_indexes: tuple[int, ...]
    #: number of values in a row
    width: int
    #: whether no other role has a column
    simple: bool
    #: whether columns that nobody uses may say something
    watched: bool
    #: columns that may show the country of a row; empty if there is no default country to contradict
    clues: tuple[Clue, ...] = ()
    #: the region of rows without a country, or empty
    home: str = ""

    def row(self, line: int, values: Sequence[str]) -> Row | RefusedRow:
        """Return the row that ``values`` contain; there must be exactly ``width`` of them.

        Raises:
            UnexpectedValue: The roles of the columns are not clear any more.
        """
        row = Row(
            line,
            values[self.number],
            values[self.country] if self.country >= 0 else "",
            values[self.reference] if self.reference >= 0 else "",
            self._others(values),
        )
        whole = row if self.simple else self._checked(row, values)
        if self.watched and isinstance(whole, Row):
            self.ensure_nothing_new(whole, values)
        if self.clues and whole.number[:1] != "+":
            return self._of_home(whole, values)
        return whole

    def taken(self) -> dict[Role, tuple[str, ...]]:
        """Return the names of the columns that are used."""
        roles = self.roles
        columns = {
            Role.NUMBER: tuple(pair.value for pair in roles.labelled_numbers) or (roles.number,),
            Role.COUNTRY: tuple(pair.value for pair in roles.labelled_countries) or roles.country,
            Role.AREA_CODE: (roles.area_code,),
            Role.REFERENCE: (roles.reference,),
            Role.OPT_OUT: roles.opt_out,
            Role.CONSENT: roles.consent,
        }
        return {role: tuple(self.names[i].strip() for i in indexes if i >= 0) for role, indexes in columns.items()}

    def _others(self, values: Sequence[str]) -> dict[str, str]:
        match self.field_indexes:
            case ():
                return {}
            case (index,):
                return {self.field_names[0]: values[index]}
        return dict(zip(self.field_names, itemgetter(*self.field_indexes)(values), strict=True))

    def _checked(self, row: Row, values: Sequence[str]) -> Row | RefusedRow:
        forbidden = self.forbidden(row, values)
        if forbidden is not None:
            return forbidden
        whole = self._labelled(row, values) if self.roles.labelled_numbers else _of_one_country(self.roles, row, values)
        if isinstance(whole, RefusedRow):
            return whole
        return whole._replace(area_code=values[self.roles.area_code]) if self.roles.area_code >= 0 else whole

    def forbidden(self, row: Row, values: Sequence[str]) -> RefusedRow | None:
        """Return the refused row of somebody who must not be faxed, or None.

        Raises:
            UnexpectedValue: A column that was empty has a value.
        """
        for index, role in self.roles.empty:
            if values[index].strip():
                raise UnexpectedValue(refusal_of_value(self.names, index, role))
        return _forbidden(self.roles, row, values)

    def ensure_nothing_new(self, row: Row, values: Sequence[str]) -> None:
        """Raise UnexpectedValue if a column that nobody uses says something about the row that is not heeded."""
        for index in self.roles.may_opt_out:
            if says_opted_out(values[index]):
                raise UnexpectedValue(refusal_of_opt_out(self.names, index, values[index]))
        for index in self.roles.may_be_telephone:
            if names_telephone(values[index]):
                raise UnexpectedValue(refusal_of_telephone(self.names, index, values[index]))
        columns = self.roles.may_say_country
        other = other_country(columns, values, row.number, row.country, self.home) if columns else None
        if other is not None:
            assumed = row.country.strip() or self.home
            raise UnexpectedValue(refusal_of_country(self.names, other, values[other], assumed))

    def _of_home(self, row: Row | RefusedRow, values: Sequence[str]) -> Row | RefusedRow:
        """Refuse a number in national form of a row that shows another country than the default one."""
        if isinstance(row, RefusedRow) or row.country.strip():
            return row
        number = row.number
        other = other_country_of(self.clues, values, row.area_code + number, self.home)
        if other is None:
            return row
        column, region = other
        sentence = (
            f"The column '{self.names[column].strip()}' has '{values[column].strip()[:40]}', so this may be a number of"
            f" {region} and not of {self.home}; write it with +, or say no_country=true (--no-country) if all numbers"
            f" are of {self.home}."
        )
        return refused(row.line, number, RefusalReason.OTHER_COUNTRY, sentence)

    def _labelled(self, row: Row, values: Sequence[str]) -> Row | RefusedRow:
        numbers = fax_numbers(self.roles.labelled_numbers, values)
        if not numbers:
            return refused(row.line, "", RefusalReason.EMPTY, "No number of this row has the label of a fax number.")
        if len(numbers) > 1:
            shown = ", ".join(f"{label.strip()}: {number}" for number, label in numbers)
            sentence = "The row has more than one fax number; leave the right one in it."
            return refused(row.line, shown, RefusalReason.TWO_NUMBERS, sentence)
        ((number, label),) = numbers
        if not self.roles.labelled_countries:
            return row._replace(number=number)
        country = country_of(self.roles.labelled_countries, values, label)
        if country is None and not number.startswith("+"):
            sentence = f"It is not clear which address of the row the number '{label.strip()}' belongs to."
            return refused(row.line, number, RefusalReason.NO_COUNTRY, sentence)
        return row._replace(number=number, country=country or "")


def find_columns(
    names: Sequence[str], rows: Sequence[Sequence[str]] = (), options: ColumnOptions = NOTHING_NAMED
) -> Columns | Refusal:
    """Return the columns, or why the list is refused; see ``roles.decide``."""
    roles = decide(names, rows, options)
    if isinstance(roles, Refusal):
        return roles
    return _columns(names, roles, options.home)


def find_nested(names: Sequence[str], values: Sequence[str], options: ColumnOptions) -> Columns | Refusal:
    """Return the columns of an object inside a row, or why the list is refused; see ``roles.decide_nested``."""
    roles = decide_nested(names, values, options)
    return roles if isinstance(roles, Refusal) else _columns(names, roles, options.home)


def _columns(names: Sequence[str], roles: Roles, home: str) -> Columns:
    used = {roles.number, roles.reference, roles.area_code, *roles.country, *roles.opt_out, *roles.consent}
    used -= {roles.number} if roles.labelled_numbers else set()
    others = tuple(index for index in range(len(names)) if index not in used)
    extra = roles.area_code >= 0 or len(roles.country) > 1 or roles.labelled_numbers or roles.empty
    return Columns(
        names=tuple(names),
        roles=roles,
        number=roles.number,
        country=roles.country[0] if roles.country else -1,
        reference=roles.reference,
        field_names=_different([names[index].strip() or f"column {index + 1}" for index in others]),
        field_indexes=others,
        width=len(names),
        simple=not (extra or roles.opt_out or roles.consent),
        watched=bool(roles.may_say_country or roles.may_opt_out or roles.may_be_telephone),
        clues=roles.clues if home else (),
        home=home,
    )


def fault_of(names: Collection[str]) -> str | None:
    """Return a sentence that says why a list cannot have these columns, or None. Every row is stored with the names."""
    if len(names) > MAX_COLUMNS:
        return f"There are {len(names):,} columns; a list may have {MAX_COLUMNS}."
    longest = max(map(len, names), default=0)
    if longest > MAX_NAME_CHARACTERS:
        return f"A column's name has {longest:,} characters; it may have {MAX_NAME_CHARACTERS}."
    return None


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """Number the names that occur before, so that no column replaces another."""
    different: dict[str, None] = {}
    for name in names:
        unused, count = name, 1
        while unused in different:
            count += 1
            unused = f"{name} ({count})"
        different[unused] = None
    return tuple(different)


def _forbidden(roles: Roles, row: Row, values: Sequence[str]) -> RefusedRow | None:
    """Return the refused row of somebody who must not be faxed, or whose wish cannot be read."""
    for index in roles.opt_out:
        out = is_opted_out(values[index])
        if out is None:
            return _unclear(row, values[index])
        if out:
            return refused(row.line, row.number, RefusalReason.OPTED_OUT)
    for index in roles.consent:
        consent = has_consent(values[index])
        if consent is None:
            return _unclear(row, values[index])
        if not consent:
            sentence = "The row has no consent to being faxed, so it is not sent."
            return refused(row.line, row.number, RefusalReason.OPTED_OUT, sentence)
    return None


def _unclear(row: Row, value: str) -> RefusedRow:
    sentence = f"'{value.strip()[:40]}' says neither yes nor no about being faxed; write yes, no or nothing."
    return refused(row.line, row.number, RefusalReason.UNCLEAR_PERMISSION, sentence)


def _of_one_country(roles: Roles, row: Row, values: Sequence[str]) -> Row | RefusedRow:
    """Return the row with the country that its columns agree about."""
    if len(roles.country) < 2:
        return row
    name, code = (values[index].strip() for index in roles.country)
    if not name or not code:
        return row._replace(country=name or code)
    if _calling_code(name) != _calling_code(code):
        sentence = f"The country is '{name[:40]}' in a column and '{code[:40]}' in another one."
        return refused(row.line, row.number, RefusalReason.UNKNOWN_COUNTRY, sentence)
    return row


def _calling_code(country: str) -> int | str:
    region = region_of_country(country)
    return country_code_for_region(region) if region else plain(country)
