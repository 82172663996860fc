"""Country columns are understood in the forms in which databases hold them."""

import phonenumbers
import pytest

from dispatcher.recipients.countries import region_of_country


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("DE", "DE"),
        (" de ", "DE"),
        ("DEU", "DE"),
        ("Germany", "DE"),
        ("GERMANY", "DE"),
        ("Deutschland", "DE"),
        ("Osterreich", "AT"),
        ("Allemagne", "DE"),
        ("Alemania", "DE"),
        ("GERMANIA", "DE"),
        ("Duitsland", "DE"),
        ("Frankreich", "FR"),
        ("États-Unis", "US"),
        ("Reino Unido", "GB"),
        ("Paesi Bassi", "NL"),
        ("Zwitserland", "CH"),
        ("Tschechien", "CZ"),
        ("Österreich", "AT"),
        ("UK", "GB"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("the Netherlands", "NL"),
        ("Cote d'Ivoire", "CI"),
        ("Côte d’Ivoire", "CI"),
        ("+44", "GB"),
        ("0044", "GB"),
        ("44", "GB"),
        ("(+44)", "GB"),
        ("1", "US"),
        ("+1-268", "US"),
        ("800", None),
        ("999", None),
        ("0", None),
        ("", None),
        ("?", None),
        ("Narnia", None),
        ("N/A", None),
        ("n.a.", None),
        ("na", "NA"),
        ("44123456789012345678", None),
        ("²", None),
    ],
)
def test_a_country_is_known_by_code_name_and_dialling_code(text: str, region: str | None) -> None:
    assert region_of_country(text) == region


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_region_of_the_library_is_known_by_its_code(region: str) -> None:
    assert region_of_country(region) == region
