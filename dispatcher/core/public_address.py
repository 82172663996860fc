"""Addresses that producers name: of documents that the provider fetches, and of their webhook endpoints.

Only such are taken as can be meant for somebody outside. A name says nothing of the address that it resolves to:
``is_public`` is asked again for each connection that is made from here.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

__all__ = ["address_fault", "is_public", "webhook_fault"]

_COMPLETE = "give a full address such as https://example.com/a.pdf"
_PRIVATE = "is an address of one machine or network"
_PRINTABLE = re.compile(r"[!-\[\]-~]+")
#: labels of 1 to 63 characters, 253 together (RFC 1035, section 2.3.4)
_NAME = re.compile(r"(?=.{1,254}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*(?<!-)\.?")
#: a host and a port; of brackets with more before or behind them, each program makes something else
_HOST_AND_PORT = re.compile(r"(?:\[[^\[\]]+\]|[^\[\]:]+)(?::[0-9]*)?")
#: what browsers and other programs read as a number, such as ``2130706433``, ``0x7f.1`` and ``0177.0.0.1``
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)
#: names for one machine or one network (RFC 6761, RFC 6762, RFC 8375), and those of clouds for their metadata
_LOCAL_NAME = re.compile(r"(?:.*\.)?(?:localhost|localdomain|local|internal|home\.arpa)\.?", re.IGNORECASE)
#: prefixes behind which an IPv4 address is written in an IPv6 address, and the bits after it
_EMBEDDING = (
    (ip_network("::/96"), 0),
    (ip_network("::ffff:0:0/96"), 0),
    (ip_network("::ffff:0:0:0/96"), 0),
    (ip_network("64:ff9b::/96"), 0),
    (ip_network("2002::/16"), 80),
)
#: where all public IPv6 addresses are (RFC 4291, section 2.4), and IPv4 networks for protocols (RFC 6890, RFC 7526)
_GLOBAL_UNICAST = ip_network("2000::/3")
_SPECIAL = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"))


def address_fault(text: str) -> str:
    """Return what is wrong with the address of a document, as a sentence; empty if the provider can fetch it."""
    if not _PRINTABLE.fullmatch(text):
        return f"{_COMPLETE}, with spaces, backslashes and letters other than English ones percent-encoded"
    parts = _full_address(text)
    if parts is None:
        return _COMPLETE
    if "@" in parts.netloc:
        return "leave out user and password: everybody who sees the fax at the provider could read them"
    fault = _host_fault(parts, private=False)
    return fault.replace(_PRIVATE, f"{_PRIVATE}, which the provider cannot fetch from: upload the document")


def webhook_fault(text: str, *, private: bool) -> str:
    """Return what is wrong with the address of a webhook endpoint, as a sentence; empty if it can be called.

    ``private`` allows addresses of this machine and network, and http.
    """
    parts = _full_address(text) if _PRINTABLE.fullmatch(text) else None
    if parts is None:
        return "give a full address such as https://example.com/bulkfax, in English letters"
    if parts.scheme == "http" and not private:
        return "give an https address: events are not sent in the clear"
    if "@" in parts.netloc:
        return "leave out user and password: deliveries are signed"
    fault = _host_fault(parts, private=private)
    return fault.replace(_PRIVATE, f"{_PRIVATE}: BULKFAX_WEBHOOK_PRIVATE_ADDRESSES=true allows it")


def is_public(address: str) -> bool:
    """Return whether an address, as a name resolves to it, is one of the public internet."""
    try:
        return all(map(_is_public, _meant(ip_address(address))))
    except ValueError:
        return False


def _full_address(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    is_plain = _HOST_AND_PORT.fullmatch(parts.netloc.rpartition("@")[2])
    return parts if complete and is_plain else None


def _host_fault(parts: SplitResult, *, private: bool) -> str:
    host, bracketed = parts.hostname or "", "[" in parts.netloc
    if not bracketed and _ENDS_IN_NUMBER.fullmatch(host) is None:
        if not _NAME.fullmatch(host):
            return _COMPLETE
        return "" if private or not _LOCAL_NAME.fullmatch(host) else f"{host} {_PRIVATE}"
    try:
        address = ip_address(host)
    except ValueError:
        return "write the host as a name, or its address as four decimal numbers such as 203.0.113.7"
    return "" if private or all(map(_is_public, _meant(address))) else f"{host} {_PRIVATE}"


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return an address, or the IPv4 address that it stands for."""
    if isinstance(address, IPv6Address):
        for network, bits in _EMBEDDING:
            if address in network:
                return [IPv4Address(int(address) >> bits & 0xFFFFFFFF)]
        if address.teredo:
            return list(address.teredo)
    return [address]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    # not every version of Python knows all special ranges
    special = address not in _GLOBAL_UNICAST if isinstance(address, IPv6Address) else _is_special(address)
    return address.is_global and not address.is_multicast and not special


def _is_special(address: IPv4Address) -> bool:
    return any(address in network for network in _SPECIAL)
