"""Decodes NDJSON and JSON arrays into rows; each value is an object, or a number as a string or a JSON number."""

import json
import re
from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import NamedTuple

from dispatcher.core.job import RefusedRow
from dispatcher.core.json_values import excess_of, is_encodable
from dispatcher.recipients.columns.columns import Columns, UnexpectedValue, fault_of, find_columns, find_nested
from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions
from dispatcher.recipients.columns.roles import Fault, Refusal
from dispatcher.recipients.errors import BrokenJson, RecipientListError, error_of
from dispatcher.recipients.lines import ROW_CHARACTERS, LineBuffer
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row, refused

#: length at which an array item that is still incomplete is given up; the rest of the list is then not read
_MAX_ITEM_CHARACTERS = 4 * ROW_CHARACTERS
#: levels of objects and arrays in a row, which has two
_MAX_LEVELS = 16
#: sets of keys whose columns are cached; a list has one or two, an attack has one per row
_MAX_CACHED_SHAPES = 256
_SPACES = " \t\n\r"
_SPACE = re.compile(rf"[{_SPACES}]*")
#: numbers stay text: 1e+11 must be refused as written, and phone numbers are not arithmetic
_JSON = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_ONLY_TEXT = {str}
_LIST_OR_OBJECT = "A value is a list or an object; send strings, and put further values into an object named 'fields'."
#: true and false stay as written, null becomes an empty field
_LITERALS = {True: "true", False: "false", None: ""}


class _Fault(NamedTuple):
    """Why rows with certain keys are refused."""

    reason: RefusalReason
    detail: str


_NO_NUMBER = _Fault(RefusalReason.EMPTY, "The row has no key 'number' or 'fax'.")


class NdjsonDecoder:
    """Decodes one JSON value per line; a line that is not JSON is refused and reading continues."""

    def __init__(self, options: ColumnOptions = NOTHING_NAMED) -> None:
        self._lines = LineBuffer()
        self._line_number = 0
        self._values = _ValueReader(options, "Line")

    @property
    def columns(self) -> Columns | None:
        """The members that are used, as soon as they are known."""
        return self._values.first_columns

    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]:
        """Decode the next text and return the rows that are complete.

        Args:
            text: The text that follows the text of the call before.
            final: Whether this is the end of the input.

        Raises:
            RecipientListError: It is not clear which members of an object are used.
        """
        rows: list[Row | RefusedRow] = []
        for block in self._lines.feed(text, final):
            for line in block.text.removesuffix("\n").split("\n"):
                self._line_number += 1
                if block.too_long:
                    rows.append(refused(self._line_number, line, RefusalReason.TOO_LONG))
                elif line and not line.isspace():
                    rows.append(self._row(line))
        return rows

    def _row(self, line: str) -> Row | RefusedRow:
        try:
            value, end = _JSON.raw_decode(line, len(line) - len(line.lstrip(_SPACES)))
            rest = line[end:].strip(_SPACES)  # ``decode`` searches for spaces in twice the time
        except (ValueError, RecursionError):
            value, rest = None, line
        if rest:
            return refused(self._line_number, line, RefusalReason.BROKEN_ROW, "The line is not valid JSON.")
        return self._values.row(self._line_number, value, line)


class _Expected(Enum):
    OPENING = auto()
    FIRST_ITEM = auto()
    ITEM = auto()
    SEPARATOR = auto()
    NOTHING = auto()


class JsonArrayDecoder:
    """Decodes one JSON array; rows are numbered by item. A syntax error ends the list, as later items are lost."""

    def __init__(self, options: ColumnOptions = NOTHING_NAMED) -> None:
        self._text = ""
        self._item = 0
        self._expected = _Expected.OPENING
        self._values = _ValueReader(options, "Item")

    @property
    def columns(self) -> Columns | None:
        """The members that are used, as soon as they are known."""
        return self._values.first_columns

    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]:
        """Decode the next text and return the rows that are complete.

        Args:
            text: The text that follows the text of the call before.
            final: Whether this is the end of the input.

        Raises:
            BrokenJson: The text is not a JSON array.
            RecipientListError: It is not clear which members of an object are used.
        """
        self._text += text
        rows: list[Row | RefusedRow] = []
        position = _after_space(self._text, 0)
        while position < len(self._text):
            if self._expected in (_Expected.FIRST_ITEM, _Expected.ITEM) and not self._closes(position):
                end = self._read_item(position, final, rows)
                if end is None:
                    break
            else:
                end = self._read_punctuation(position)
            position = _after_space(self._text, end)
        self._text = self._text[position:]
        if final and self._expected not in (_Expected.OPENING, _Expected.NOTHING):
            raise self._broken("The array ends before its closing bracket.")
        return rows

    def _closes(self, position: int) -> bool:
        return self._expected is _Expected.FIRST_ITEM and self._text[position] == "]"

    def _read_punctuation(self, position: int) -> int:
        """Read a bracket or comma and return the position after it."""
        match (self._expected, self._text[position]):
            case (_Expected.OPENING, "["):
                self._expected = _Expected.FIRST_ITEM
            case (_Expected.SEPARATOR, ","):
                self._expected = _Expected.ITEM
            case (_Expected.SEPARATOR | _Expected.FIRST_ITEM, "]"):
                self._expected = _Expected.NOTHING
            case (_Expected.OPENING, _):
                raise self._broken("The text does not begin with '['.")
            case (_Expected.NOTHING, _):
                raise self._broken("There is more text after the array.")
            case _:
                raise self._broken("A comma is missing after this item.")
        return position + 1

    def _read_item(self, position: int, final: bool, rows: list[Row | RefusedRow]) -> int | None:
        """Append the row of an item to ``rows`` and return the position after it, or None if more text is needed."""
        try:
            value, end = _JSON.raw_decode(self._text, position)
        except (ValueError, RecursionError) as error:
            if final or len(self._text) - position > _MAX_ITEM_CHARACTERS or isinstance(error, RecursionError):
                self._item += 1
                raise self._broken(
                    f"This item is not valid JSON, or it is longer than {_MAX_ITEM_CHARACTERS:,} characters."
                ) from error
            return None
        if end == len(self._text) and not final:
            return None  # a number may continue in the next text
        self._item += 1
        self._expected = _Expected.SEPARATOR
        text = self._text[position:end]
        too_long = len(text) > ROW_CHARACTERS
        rows.append(
            refused(self._item, text, RefusalReason.TOO_LONG) if too_long else self._values.row(self._item, value, text)
        )
        return end

    def _broken(self, what: str) -> BrokenJson:
        todo = "Send one array of objects or strings, or one JSON value per line as application/x-ndjson."
        return BrokenJson(what, todo, self._item or None)


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


class _ValueReader:
    """Turns decoded JSON values into rows; the columns of each set of keys are cached.

    The columns of an object are its members. Its values decide which ones are empty, as the first rows of CSV do.
    """

    def __init__(self, options: ColumnOptions, unit: str) -> None:
        self._options = options
        self._unit = unit
        #: the columns of a set of keys, or why it cannot be used
        self._shapes: dict[tuple[str, ...], Columns | _Fault] = {}
        #: the columns of ``fields``, by the names of its members
        self._nested: dict[tuple[str, ...], Columns] = {}
        #: the columns of the first row that has some
        self.first_columns: Columns | None = None

    def row(self, line_number: int, value: object, text: str) -> Row | RefusedRow:
        """Return the row of a decoded value, or the refused row.

        Args:
            line_number: The line, or the number of the item of a JSON array.
            value: The decoded value.
            text: The value as JSON: for the report, and to see whether it has \\u escapes at all.
        """
        if "\\u" in text and not _is_text(value):
            return refused(
                line_number,
                text,
                RefusalReason.BROKEN_ROW,
                "The row has an unpaired \\uD800-\\uDFFF escape, which is no character; write the whole character.",
            )
        if isinstance(value, str):
            return Row(line_number, value, "", "", {})
        if not isinstance(value, dict):
            return refused(
                line_number,
                text,
                RefusalReason.BROKEN_ROW,
                "The value is neither an object nor a string; send an object with the key 'number', or a string.",
            )
        nested = value.pop("fields", None) if isinstance(value.get("fields"), dict) else None
        values, nested_values = _texts(value), _texts(nested) if nested else []
        if values is None or nested_values is None:
            return refused(line_number, text, RefusalReason.BROKEN_ROW, _LIST_OR_OBJECT)
        # both together: each key becomes a merge field of the cover page
        fault = _fault_of([*value, *nested]) if nested else None
        columns = fault or self._columns(line_number, tuple(value), values)
        if isinstance(columns, _Fault):
            return refused(line_number, text, columns.reason, columns.detail)
        row = self._row(line_number, columns, values)
        if isinstance(row, RefusedRow) or not nested:
            return row
        forbidden = self._judge_nested(row, tuple(nested), nested_values)
        return forbidden or row._replace(fields={**row.fields, **dict(zip(nested, nested_values, strict=True))})

    def _judge_nested(self, row: Row, names: tuple[str, ...], values: list[str]) -> RefusedRow | None:
        """Return the refused row of a recipient who opted out, as the members of its ``fields`` say, or None."""
        columns = self._nested.get(names) or find_nested(names, values, self._options)
        if isinstance(columns, Refusal):
            raise self._nested_error(columns, row.line)
        if len(self._nested) >= _MAX_CACHED_SHAPES:
            self._nested.clear()
        self._nested[names] = columns
        try:
            forbidden = None if columns.simple else columns.forbidden(row, values)
            if forbidden is None and columns.watched:
                columns.ensure_nothing_new(row, values)
        except UnexpectedValue as unexpected:
            raise self._nested_error(unexpected.refusal, row.line) from unexpected
        return forbidden

    def _nested_error(self, refusal: Refusal, line_number: int) -> RecipientListError:
        advice = f"Move it out of 'fields', beside the number. {refusal.what_to_do}"
        return self._error(refusal._replace(what_to_do=advice), line_number)

    def _columns(self, line_number: int, keys: tuple[str, ...], values: list[str]) -> Columns | _Fault:
        if keys in self._shapes:
            return self._shapes[keys]
        columns = _fault_of(keys) or self._find(line_number, keys, values)
        if columns is None:
            return _NO_NUMBER  # the next row with these keys may have a number
        if isinstance(columns, Columns) and self.first_columns is None:
            self.first_columns = columns
        if len(self._shapes) >= _MAX_CACHED_SHAPES:
            self._shapes.clear()
        self._shapes[keys] = columns
        return columns

    def _find(self, line_number: int, keys: tuple[str, ...], values: list[str]) -> Columns | _Fault | None:
        """Return the columns of these keys, why rows with them are refused, or None if these values do not tell."""
        columns = find_columns(keys, [values], self._options)
        if not isinstance(columns, Refusal):
            return columns
        if columns.undecided:
            return None
        match columns.fault:
            case Fault.NO_NUMBER:
                return _NO_NUMBER
            case Fault.NO_SUCH_COLUMN:
                return _Fault(RefusalReason.BROKEN_ROW, columns.what)
        raise self._error(columns, line_number)

    def _row(self, line_number: int, columns: Columns, values: list[str]) -> Row | RefusedRow:
        try:
            return columns.row(line_number, values)
        except UnexpectedValue as unexpected:
            raise self._error(unexpected.refusal, line_number) from unexpected

    def _error(self, refusal: Refusal, line_number: int) -> RecipientListError:
        return error_of(refusal, line_number, self._unit)


def _fault_of(keys: Collection[str]) -> _Fault | None:
    fault = fault_of(keys)
    return _Fault(RefusalReason.BROKEN_ROW, fault) if fault else None


def _texts(value: Mapping[str, object]) -> list[str] | None:
    """Return the values as text, or None if one of them is a list or an object."""
    values = list(value.values())
    if _ONLY_TEXT.issuperset(map(type, values)):
        return values  # type: ignore[return-value]  # just checked, without a Python loop
    if any(isinstance(item, dict | list) for item in values):
        return None
    return [item if isinstance(item, str) else _LITERALS[item] for item in values]  # type: ignore[index]  # true, false, null


def _is_text(value: object) -> bool:
    """Return whether the value can be written as UTF-8: JSON can escape half a surrogate pair."""
    # what is too deep is no row: refused for its depth
    return excess_of(value, max_levels=_MAX_LEVELS) is not None or is_encodable(value)
