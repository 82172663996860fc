"""Options of ``send`` and ``rerun`` that are passed to the provider with every fax."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from dispatcher.core.options import FaxOptions


def _option(help_text: str, *names: str) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel="Fax options")


def _choice(help_text: str, *words: str) -> Any:
    """Return an option that takes one of some words, in any case."""

    def word_of(text: str) -> str:
        if text.upper() not in words:
            raise typer.BadParameter(f"{text[:100]!r} is none of {', '.join(words)}")
        return text.upper()

    return typer.Option(help=help_text, rich_help_panel="Fax options", parser=word_of, metavar="|".join(words))


def _sender(text: str) -> str:
    """Return a number as it was typed. A word that stands for one, as in a printed command, is none."""
    if any(character.isalpha() for character in text):
        raise typer.BadParameter(
            f"{text[:100]!r} is no number in the form +12025550100; `bulkfax provider numbers list` names yours"
        )
    return text


Sender = Annotated[
    str,
    typer.Option(
        help="Number that the fax comes from, as in +12025550100.", rich_help_panel="Fax options", callback=_sender
    ),
]
Service = Annotated[str, _option("Service of the provider, by its id.")]
HeaderText = Annotated[str, _option("Text at the top of each page, 50 characters at most.")]
PageNumbers = Annotated[bool | None, _option("Page numbers at the top of each page.")]
TimeZone = Annotated[str, _option("Time zone of the header's date, as in Europe/Berlin.")]
Resolution = Annotated[str | None, _choice("200 or 400 dpi.", "FINE", "SUPERFINE")]
ImageConversion = Annotated[str | None, _choice("For photographs, or for text.", "HALFTONE", "MONOCHROME")]
CoverPage = Annotated[str, _option("Cover page of the service, by its id; the list's other columns fill it.")]
CoverField = Annotated[
    list[str] | None, _option("NAME=VALUE on the cover page, where the list says nothing else. May repeat.")
]
DocumentUrl = Annotated[
    list[str] | None, _option("Document that the provider fetches itself; its pages come first. May repeat.")
]


def fax_options(
    *,
    sender: str,
    service: str,
    header_text: str,
    page_numbers: bool | None,
    time_zone: str,
    resolution: str | None,
    image_conversion: str | None,
    cover_page: str,
    cover_field: list[str] | None,
) -> FaxOptions:
    """Return the options that were typed."""
    return FaxOptions(
        sender=sender,
        service_id=service,
        header_text=header_text,
        header_page_numbers=page_numbers,
        header_time_zone=time_zone,
        resolution=resolution or "",
        image_conversion_method=image_conversion or "",
        cover_page_id=cover_page,
        cover_page_data=named_values(cover_field or [], "--cover-field"),
    )


def named_values(texts: Iterable[str], option: str) -> dict[str, str]:
    """Parse ``["a=b"]`` into ``{"a": "b"}``. Raises typer.BadParameter (exit status 2) if a name is missing."""
    pairs = [text.partition("=") for text in texts]
    for name, sign, _ in pairs:
        if not sign or not name.strip():
            raise typer.BadParameter("write it as NAME=VALUE", param_hint=option)
    return {name.strip(): value for name, _, value in pairs}
