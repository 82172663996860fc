"""Reads the numbers of one list: converts them to E.164 and applies the rules about destinations."""

import phonenumbers
from phonenumbers import PhoneNumberType

from dispatcher.core.destinations import Destination, DestinationRule, DestinationRules, NumberType
from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.recipients.area_codes import with_area_code
from dispatcher.recipients.dialling import AcceptedNumber
from dispatcher.recipients.e164 import destination_of_e164, type_by_code
from dispatcher.recipients.numbers import home_region, normalize_number, plain_number
from dispatcher.recipients.refusal_reasons import RefusalReason, RefusedNumber
from dispatcher.recipients.rows import refused

_TYPES = {
    PhoneNumberType.PREMIUM_RATE: NumberType.PREMIUM_RATE,
    PhoneNumberType.TOLL_FREE: NumberType.TOLL_FREE,
    PhoneNumberType.SHARED_COST: NumberType.SHARED_COST,
    PhoneNumberType.VOIP: NumberType.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: NumberType.PERSONAL,
    PhoneNumberType.PAGER: NumberType.PAGER,
    PhoneNumberType.UAN: NumberType.COMPANY,
    PhoneNumberType.VOICEMAIL: NumberType.VOICEMAIL,
    PhoneNumberType.MOBILE: NumberType.MOBILE,
}
_REASONS = {
    DestinationRule.COUNTRIES: RefusalReason.COUNTRY_NOT_ALLOWED,
    DestinationRule.FORBIDDEN_TYPES: RefusalReason.NUMBER_TYPE_NOT_ALLOWED,
    DestinationRule.MAX_PRICE: RefusalReason.PRICE_TOO_HIGH,
}


class NumberReader:
    """Reads numbers as they are written, under the rules about destinations."""

    def __init__(self, default_region: str | None = None, rules: DestinationRules | None = None) -> None:
        """Create a reader.

        Args:
            default_region: The region (ISO 3166 alpha-2) of numbers whose row has no country.
            rules: Which numbers may be dialled; the rules of a policy without changes by default.
        """
        self._home = default_region or None
        self._rules = rules or DestinationRules()
        #: what the rules say about destinations seen before
        self._refusals: dict[Destination, RefusedNumber | None] = {}
        self._has_price_limit = self._rules.max_price is not None
        #: the regions of destinations that no rule forbids; empty if each number has to be looked at for its price
        self._allowed_regions: dict[Destination | None, str] = {}

    def allowed_region(self, text: str) -> str | None:
        """Return the region of a text that is a valid number in E.164 and may be dialled, or None if ``read`` decides.

        It gives the result of ``read`` in a third of the time.
        """
        return self._allowed_regions.get(destination_of_e164(text))

    def read(self, text: str, country: str = "", area_code: str = "") -> AcceptedNumber | RefusedNumber:
        """Return the number that may be dialled, or why it cannot or may not be.

        Args:
            text: The number as written.
            country: The country of the row as written; international numbers need none.
            area_code: The area code, if it has a column of its own.
        """
        plain = None if area_code else plain_number(text, home_region(country, self._home))
        if plain is not None:
            number, destination = plain
        else:
            result = self._normalized(text, country, area_code)
            if isinstance(result, RefusedNumber):
                return result
            number, _ = result
            destination = destination_of_e164(number) or _by_library(result)
        region, _ = destination
        return self._refusal(number, destination) or AcceptedNumber(number, region)

    def refused_recipient(self, recipient: Recipient) -> RefusedRow | None:
        """Return a refused row for a recipient that the rules forbid, or None. Its number was read before."""
        number = recipient.number
        destination = destination_of_e164(number) or _by_library(AcceptedNumber(number, recipient.region))
        refusal = self._refusal(number, destination)
        return refused(recipient.line, recipient.number, refusal.reason, refusal.sentence) if refusal else None

    def _refusal(self, number: str, destination: Destination) -> RefusedNumber | None:
        refusal = self._refusals[destination] if destination in self._refusals else self._judge(destination)
        if refusal is None and self._has_price_limit and self._rules.is_too_expensive(number, destination.region):
            return self._priced(number, destination.region)
        return refusal

    def _normalized(self, text: str, country: str, area_code: str) -> AcceptedNumber | RefusedNumber:
        if area_code and not area_code.isspace():
            return with_area_code(text, area_code, home_region(country, self._home), country)
        return normalize_number(text, country, self._home)

    def _judge(self, destination: Destination) -> RefusedNumber | None:
        rule = self._rules.broken_by(destination)
        refusal = self._refusals[destination] = _refused(rule, destination) if rule is not None else None
        if refusal is None and not self._has_price_limit:
            self._allowed_regions[destination] = destination.region
        return refusal

    def _priced(self, number: str, region: str) -> RefusedNumber:
        rules = self._rules
        price = rules.prices.per_page(number, region)
        if price is None:
            sentence = "The price list has no price for this number; add one, or raise no limit"
        else:
            sentence = f"A page costs {price} {rules.prices.currency}, and the policy allows {rules.max_price}"
        return RefusedNumber(RefusalReason.PRICE_TOO_HIGH, f"{sentence} (destinations.{DestinationRule.MAX_PRICE}).")


def _refused(rule: DestinationRule, destination: Destination) -> RefusedNumber:
    what = {
        DestinationRule.COUNTRIES: f"The policy does not allow faxes to {destination.region}",
        DestinationRule.FORBIDDEN_TYPES: f"The policy forbids {destination.number_type.label}",
    }[rule]
    return RefusedNumber(_REASONS[rule], f"{what} (destinations.{rule}).")


def _by_library(number: AcceptedNumber) -> Destination:
    """Return the destination of a number that no pattern matches."""
    parsed = phonenumbers.parse(number.number)
    of_code = type_by_code(parsed.country_code or 0)
    return Destination(number.region, of_code or _TYPES.get(phonenumbers.number_type(parsed), NumberType.ORDINARY))
