"""Headings as the exports of contact programs and registries write them, in six languages."""

import pytest

from dispatcher.recipients.columns.headings import Subject, read_heading

FAX = """
Fax; fax; FAX NUMBER; fax_number; Fax-Number; faxNumber; Fax No.; Fax #; Fax No; Faxnr.; Telefax; telefaxNumber
Facsimile; facsimileTelephoneNumber; FAX (work); Fax1; Recipient Fax; Work Fax; Office Fax; Main Fax; Fax Line
Business Fax; Home Fax; Other Fax; BusinessFaxNumber
Address 1: Fax; Address 2: Fax; address1_fax; Account: Fax; Account Fax
Provider Business Mailing Address Fax Number; Provider Business Practice Location Address Fax Number
Fax geschäftlich; Fax privat; Weiteres Fax; Faxnummer; Telefaxnummer; Fax-Nr.; Geschäftsfax; Praxisfax; Fax (Büro)
Télécopie (bureau); Télécopie (domicile); Autre télécopie; N° de fax; Numéro de fax; Télécopieur; Fax professionnel
Fax del trabajo; Fax particular; Otro fax; Número de fax; Nº de fax; No. de fax; Fax laboral
Fax (uff.); Fax (ab.); Altro fax; Numero di fax; N. fax; Fax ufficio; Numero fax
Fax op werk; Fax thuis; Andere fax; Faxnummer werk; Fax zakelijk; Faxnummer
Alt. Fax; New Fax; Provider Fax; Account: Fax; Vendor Fax; Fax (HQ); Customer Fax No
Fax (with area code); Fax number incl. country code; Fax mit Vorwahl
"""
COUNTRY = """
Country; country; COUNTRY CODE; Country/Region; Country or Region; countryCode; country_code; ISO; iso2; CountryName
Business Country/Region; Home Country/Region; Other Country; Business Country; Work Country
Mailing Country; MailingCountryCode; Billing Country; Shipping Country; Other Country Code; IP Country
Address 1: Country/Region; address1_country; Address 2: Country/Region; Address 1 - Country
Provider Business Mailing Address Country Code (If outside U.S.)
Provider Business Practice Location Address Country Code (If outside U.S.)
Land; Land/Region; Land/Region geschäftlich; Land/Region privat; Weiteres/e Land/Region; Ländercode; Länderkennzeichen
Staat; Landesvorwahl; Ländervorwahl; LKZ
Pays; Pays/Région (bureau); Pays/Région (domicile); Autre pays/région; Code pays; Indicatif pays
País; País o región; País/región del trabajo; País/región del domicilio; Otro país o región; Código de país
Paese; Paese/area geografica (uff.); Altro paese/area geografica; Nazione; Prefisso internazionale; Codice paese
Land/regio (werk); Land/regio (thuis); Land/regio (anders); Landnummer; Landcode
Calling Code; Dialing Code; Dialling code; Dial Code; Country calling code; International prefix; Phone Country Code
Internat. Vorwahl; Int. Vorwahl; Vorwahl Ausland; Vorwahl (Land); Indicatif du pays; Indicatif international
Prefijo internacional; Prefijo del país; Clave de país; Prefisso estero; Prefisso paese; Internationaal kengetal
Landkengetal; Country prefix; Indicatif téléphonique du pays
"""
UNCLEAR_COUNTRY = """
Region; Country of Birth; Country Manager; Herkunftsland; Lieferland; Birth country; Región; Regione; Regio
Nation of origin
"""
AREA_CODE = """
Area Code; area_code; AreaCode; Fax Area Code; Vorwahl; Ortsvorwahl; Ortskennzahl; Vorwahl Fax; City code; STD code
Indicatif régional; Código de área; Prefisso; Prefijo; Netnummer; Kengetal; Lada
"""
STATE = """
Business State; State/Province; State/Region; Mailing State/Province; Bundesland; Bundesland/Kanton geschäftlich
Dép/Région (bureau); Provincia; Estado/provincia del trabajo; Provincia (uff.); Provider Business Mailing State Name
Address 1: State/Province; Region/State; Kanton; IP State/Region; Landline; Postal Area Code
"""
OPT_OUT = """
Opt out; opt_out; OptOut; Opted out; Fax Opt Out; HasOptedOutOfFax; Do Not Fax; DoNotFax; donotfax; DO NOT FAX!
Do not allow Faxes; No Fax; Do not send faxes; Don't fax; Do Not Contact; Unsubscribed; Fax not allowed; No consent
Kein Fax; Keine Faxe; Nicht faxen; Bitte nicht faxen; Faxsperre; Widerspruch; Abgemeldet; Kein Faxversand
Ne pas faxer; Pas de fax; Désinscrit; Désabonné; Opposition fax
No enviar fax; No enviar faxes; Baja; Sin fax
Non inviare fax; Disiscritto; Niente fax opt-out
Niet faxen; Geen fax; Uitgeschreven; Afgemeld
Fax verboten; Stop fax; Fax Stop; Faxstop; Fax interdit; Fax prohibido; Fax vietato; Fax verboden; Fax not wanted
Fax nicht gewünscht; Fax unerwünscht; Exclude from fax; Remove from fax list; Fax declined; Werbeverbot; Deceased
Werbewiderspruch; Robinsonliste; Niente fax; Escludi da fax; Fax geblokkeerd
"""
CONSENT = """
Consent; Fax Consent; Consent to fax; Opt in; opt-in; Opted In; Fax Allowed; fax_allowed; Allow fax; Fax permission
Fax OK; GDPR consent
Einwilligung; Einwilligung Fax; Fax erlaubt; Zustimmung; DSGVO-Einwilligung
Consentement; Fax autorisé; Consentement RGPD
Consentimiento; Fax permitido; Consenso; Fax consentito; Toestemming; Fax toegestaan
Werbeeinwilligung; Accord fax; Autoriza fax; Darf faxen
"""
UNCLEAR_PERMISSION = (
    "Consent date; Opt-out reason; Fax preference; Not opted out; Opt status; Consent Source; Fax preferences; DNC;"
    " Date of death; Deceased Date; Fax do not use; Removed On; Remove from list; Exclusion reason"
)
OTHER_CHANNEL = """
Email Opt Out; HasOptedOutOfEmail; Do Not Call; DoNotPhone; Do not allow Bulk Emails; Do not allow Phone Calls
Opted out of email: Newsletter; Unsubscribed from all email; SMS consent; hipaa_allowsms; Newsletter Opt-in
(Do Not Modify) Contact; (Do Not Modify) Modified On; Credit allowed; Preferred Method of Contact
"""
OTHER = """
Company; First Name; Last Name; E-mail Address; Business Street; Business City; Business Postal Code; Notes; Web Page
Business Phone; Home Phone; Mobile Phone; Telefon geschäftlich; Téléphone (bureau); Pager; ISDN; Fairfax Office; NIP
"""
BOTH = "Tel/Fax; Phone or Fax; Telefon und Fax; Fax/Phone; Phone/Fax Number"
ABOUT_FAX = (
    "Fax Status; Last Fax Date; Fax Type; Fax cover page; Email to fax; Fax sent; Fax notes; Fax ID; Faxserver; Faxed;"
    "Fax Account Number; Fax Provider"
)
DOUBTFUL_FAX = """
Old Fax; Former fax; Previous Fax; Fax alt; Fax (old); oldFax; Alte Faxnummer; Ehemalige Faxnummer; Frühere Fax-Nr.
Ancien numéro de fax; Fax antiguo; Fax anterior; Vecchio fax; Fax precedente; Oude fax; Vorige fax; Wrong fax
Ungültige Faxnummer; Our Fax; Sender Fax; Return fax
"""


def headings(text: str) -> list[str]:
    return [heading.strip() for line in text.strip().splitlines() for heading in line.split(";") if heading.strip()]


CASES = [
    (heading, subject)
    for text, subject in (
        (FAX, Subject.FAX),
        (COUNTRY, Subject.COUNTRY),
        (UNCLEAR_COUNTRY, Subject.REGION),
        (AREA_CODE, Subject.AREA_CODE),
        (STATE, Subject.NOTHING),
        (OPT_OUT, Subject.OPT_OUT),
        (CONSENT, Subject.CONSENT),
        (UNCLEAR_PERMISSION, Subject.PERMISSION),
        (OTHER_CHANNEL, Subject.NOTHING),
        (OTHER, Subject.NOTHING),
        (ABOUT_FAX, Subject.ABOUT_FAX),
        (DOUBTFUL_FAX, Subject.DOUBTFUL_FAX),
        (BOTH, Subject.ABOUT_FAX),
        ("Fax extension; Fax ext.; Fax Durchwahl", Subject.FAX_EXTENSION),
        ("number; to; Phone; Tel.; Telephone Number; recipient; E.164; MSISDN; Telefono", Subject.NUMBER),
        ("reference; Customer ID; Kunden-Nr.; external_id; Record ID; NPI; ID", Subject.REFERENCE),
        ("Phone 1 - Label; Phone 2 - Type", Subject.LABEL),
        ("Phone 1 - Value; Phone 12 - Value", Subject.LABELLED),
    )
    for heading in headings(text)
]


@pytest.mark.parametrize(("heading", "subject"), CASES)
def test_a_heading_says_what_its_column_is_about(heading: str, subject: Subject) -> None:
    assert read_heading(heading).subject is subject


@pytest.mark.parametrize(
    ("fax", "country"),
    [
        ("Business Fax", "Business Country/Region"),
        ("Home Fax", "Home Country/Region"),
        ("Other Fax", "Other Country"),
        ("Fax geschäftlich", "Land/Region geschäftlich"),
        ("Fax privat", "Land/Region privat"),
        ("Weiteres Fax", "Weiteres/e Land/Region"),
        ("Télécopie (bureau)", "Pays/Région (bureau)"),
        ("Fax del trabajo", "País/región del trabajo"),
        ("Fax particular", "País/región del domicilio"),
        ("Fax (uff.)", "Paese/area geografica (uff.)"),
        ("Altro fax", "Altro paese/area geografica"),
        ("Fax op werk", "Land/regio (werk)"),
        ("Andere fax", "Land/regio (anders)"),
        ("Address 2: Fax", "Address 2: Country/Region"),
        ("Fax", "Address 1: Country/Region"),
        (
            "Provider Business Practice Location Address Fax Number",
            "Provider Business Practice Location Address Country Code (If outside U.S.)",
        ),
    ],
)
def test_number_and_country_of_one_address_are_recognised_as_such(fax: str, country: str) -> None:
    assert read_heading(fax).address == read_heading(country).address
