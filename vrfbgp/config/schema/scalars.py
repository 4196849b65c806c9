"""Field types: how a value of the user's text becomes a value of ours.

Every type takes what the Kubernetes API would, and a little more: a quoted number, a number where a label
wants a string. Errors say what the field wants, never more of the value than its beginning. Each type also
says in JSON Schema (`forms`) what it takes, never less than that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BeforeValidator, GetJsonSchemaHandler, PlainValidator
from pydantic_core import CoreSchema

from vrfbgp.config.documents import source_text
from vrfbgp.config.schema import forms
from vrfbgp.config.schema.faults import out_of_range, wrong_type
from vrfbgp.config.select import Selector, SelectorError, parse
from vrfbgp.model import IPAddress, IPNetwork

T = TypeVar("T")


def shown(value: Any) -> str:
    """A value for an error's text: short, on one line."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(str(value)) if isinstance(value, str) else source_text(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise wrong_type(f"must be a string, is {shown(value)}: quote it")


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip()):
        return int(value)
    raise wrong_type(f"must be a whole number, is {shown(value)}")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    # YAML 1.1, which kubectl reads, has these words for booleans; in 1.2 they are strings.
    if isinstance(value, str) and value.lower() in ("yes", "on", "no", "off"):
        return value.lower() in ("yes", "on")
    raise wrong_type(f"must be true or false, is {shown(value)}")


@dataclass(frozen=True, slots=True)
class Narrowed(AfterValidator):
    """A check of what a type read, and what that check makes of the type's JSON Schema."""

    form: Callable[[forms.Form], forms.Form]

    def __get_pydantic_json_schema__(self, core: CoreSchema, inner: GetJsonSchemaHandler) -> forms.Form:
        return self.form(inner(core))


def within(low: int, high: int) -> AfterValidator:
    """The bounds of a whole number, both included."""

    def check(value: int) -> int:
        if low <= value <= high:
            return value
        raise out_of_range(f"must be between {low} and {high}, is {value}")

    return Narrowed(check, lambda form: forms.within(form, low, high))


def one_of(*words: str) -> AfterValidator:
    """One of some words, as they are spelled."""

    def check(value: str) -> str:
        if value in words:
            return value
        raise out_of_range(
            f"must be one of {', '.join(word or 'nothing' for word in words)}; is {shown(value)}"
        )

    return Narrowed(check, lambda _: forms.one_of(words))


def one_of_any_case(*words: str) -> AfterValidator:
    """One of some words or "", in any case; read in the case given here."""
    spelled = {word.lower(): word for word in ("", *words)}

    def check(value: str) -> str:
        if value.lower() in spelled:
            return spelled[value.lower()]
        raise out_of_range(f"must be one of {', '.join(words)}; is {shown(value)}")

    return Narrowed(check, lambda _: forms.one_of_any_case(words))


_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|ms|s|m|h)")


def _seconds(value: Any) -> float:
    """Go's time.ParseDuration, without a sign."""
    if isinstance(value, str) and value == "0":
        return 0.0
    if not isinstance(value, str) or not re.fullmatch(f"(?:{_DURATION.pattern})+", value):
        raise wrong_type(f"must be a duration as 90s, 2m0s or 1m30s; is {shown(value)}")
    total = sum(Fraction(number) * _UNITS[unit] for number, unit in _DURATION.findall(value))
    return float(total / 10**9)


def _whole_seconds(value: Any) -> int:
    seconds = _seconds(value)
    if seconds != int(seconds):
        raise out_of_range(f"must be whole seconds, is {shown(value)}")
    return int(seconds)


def _as_number(value: Any) -> int:
    """RFC 5396: asplain, or asdot+ (`high.low`); a YAML float keeps how it was written, so 1.10 is dotted."""
    text = source_text(value).strip() if isinstance(value, str | int | float) else ""
    if re.fullmatch(r"[0-9]{1,10}", text):
        number = int(text)
    elif match := re.fullmatch(r"([0-9]{1,5})\.([0-9]{1,5})", text):
        high, low = int(match[1]), int(match[2])
        if high > 0xFFFF or low > 0xFFFF:
            raise out_of_range(f"each half of a dotted AS number is at most 65535, is {shown(value)}")
        number = high << 16 | low
    else:
        raise wrong_type(f"must be an AS number as 64512 or 1.10, is {shown(value)}")
    if number > 0xFFFFFFFF:
        raise out_of_range(f"an AS number is at most 4294967295, is {shown(value)}")
    return number


def _parsed(wanted: str, read: Callable[[str], T]) -> PlainValidator:
    def check(value: Any) -> T:
        if not isinstance(value, str):
            raise wrong_type(f"must be {wanted}, is {shown(value)}")
        try:
            return read(value.strip())
        except ValueError:
            raise wrong_type(f"must be {wanted}, is {shown(value)}") from None

    return PlainValidator(check)


def _network(text: str) -> IPNetwork:
    return ip_network(text, strict=False)


def _unscoped(address: IPAddress) -> IPAddress:
    if getattr(address, "scope_id", None):
        raise ValueError("a scope id is not part of an address here")
    return address


def _address(text: str) -> IPAddress:
    return _unscoped(ip_address(text))


def _router_id(text: str) -> IPv4Address:
    identifier = IPv4Address(text)
    if not int(identifier):
        raise ValueError("RFC 6286 2.1: not zero")
    return identifier


def _exact(value: Any) -> IPNetwork:
    try:
        network = ip_network(_text(value).strip(), strict=False)
    except ValueError:
        raise wrong_type(f"must be a CIDR as 10.50.0.0/24, is {shown(value)}") from None
    if "/" in value and ip_interface(value.strip()).ip != network.network_address:
        raise out_of_range(f"has bits set behind its prefix length, is {shown(value)}: write {network}")
    return network


class Endpoint(NamedTuple):
    """A peer's address, its port if one was given, and the zone of a link-local one (RFC 4007), a device."""

    address: IPAddress
    port: int | None
    zone: str = ""


def _endpoint(text: str) -> Endpoint:
    if match := re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?", text):
        address, port = match[1], match[2]
    elif text.count(":") == 1:
        address, port = text.split(":")
    else:
        address, port = text, None
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("no port")
    address, percent, zone = address.partition("%")
    found = Endpoint(_address(address), int(port) if port else None, zone)
    local = found.address.version == 6 and found.address.is_link_local
    if percent and not (local and re.fullmatch(f"{_DEVICE}{{1,15}}", zone)):
        raise ValueError("a zone is a device, and part of an IPv6 link-local address alone")
    return found


def _selector(value: Any) -> Selector | None:
    text = _text(value)
    if not text.strip(" \t"):
        return None
    try:
        return parse(text)
    except SelectorError as error:
        raise wrong_type(f"is no selector: {error}, in {shown(text)}") from None


_DEVICE = "[A-Za-z0-9._@+=~-]"


def _interface_name(text: str) -> str:
    if text and not re.fullmatch(f"{_DEVICE}{{1,15}}", text):
        raise out_of_range(f"must be the name of a device, at most 15 characters; is {shown(text)}")
    return text


def _string_map(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        # Not the value itself: it may be a Secret's.
        raise wrong_type(
            f"must be a mapping of strings, is {'a list' if isinstance(value, list) else 'none'}"
        )
    for key, item in value.items():
        if isinstance(item, dict | list):
            raise wrong_type(f"must be a mapping of strings, {shown(key)} holds {shown(item)}")
    return {source_text(key): "" if item is None else source_text(item) for key, item in value.items()}


def _items(value: Any) -> tuple[Any, ...]:
    if isinstance(value, list):
        return tuple(value)
    raise wrong_type(f"must be a list, is {shown(value)}")


Text = Annotated[str, BeforeValidator(_text)]


def _community(text: str) -> str:
    parts = [int(part) for part in text.split(":")] if re.fullmatch(r"\d{1,10}(:\d{1,10}){1,2}", text) else []
    bound = 0xFFFF if len(parts) == 2 else 0xFFFFFFFF
    if not parts or max(parts) > bound:
        raise out_of_range(f"must be a community as 65000:100 or 65000:1:2, is {shown(text)}")
    return text


Int = Annotated[int, BeforeValidator(_integer), forms.INTEGER]
Uint8 = Annotated[Int, within(0, 255)]
Int32 = Annotated[Int, within(-(2**31), 2**31 - 1)]
Uint32 = Annotated[Int, within(0, 2**32 - 1)]
Port = Annotated[Int, within(1, 65535)]
Bool = Annotated[bool, BeforeValidator(_boolean), forms.BOOLEAN]
EnabledDisabled = Annotated[Text, one_of("Enabled", "Disabled")]
Duration = Annotated[float, BeforeValidator(_seconds), forms.DURATION]
"""A Go duration, in seconds."""
Seconds = Annotated[int, BeforeValidator(_whole_seconds), forms.DURATION]
"""A Go duration of whole seconds."""
AsNumber = Annotated[int, BeforeValidator(_as_number), forms.AS_NUMBER]
LocalAs = Annotated[AsNumber, within(1, 2**32 - 1)]
"""RFC 7607: nobody is AS 0."""
RouterId = Annotated[
    IPv4Address, _parsed("an IPv4 address other than 0.0.0.0", _router_id), forms.IPV4_ADDRESS
]
Address = Annotated[IPAddress, _parsed("an IP address", _address), forms.ADDRESS]
Network = Annotated[IPNetwork, _parsed("a CIDR as 10.0.0.0/8", _network), forms.NETWORK]
"""A CIDR; bits behind the prefix length are cut off, as Calico does it."""
ExactNetwork = Annotated[IPNetwork, PlainValidator(_exact), forms.NETWORK]
"""A CIDR without bits behind the prefix length; an address alone is a host's."""
Interface = Annotated[
    Any, _parsed("an address, with or without a prefix length", ip_interface), forms.INTERFACE_ADDRESS
]
"""An address of an interface; use its `ip`."""
PeerEndpoint = Annotated[
    Endpoint, _parsed("an address, with or without a port, as 10.0.0.1:179", _endpoint), forms.ENDPOINT
]
LabelSelector = Annotated[Selector | None, PlainValidator(_selector), forms.SELECTOR]
InterfaceName = Annotated[Text, AfterValidator(_interface_name), forms.DEVICE]
"""The name of a network device (IFNAMSIZ, linux/if.h), or ""."""
StringMap = Annotated[dict[str, str], BeforeValidator(_string_map), forms.STRING_MAP]
Items = BeforeValidator(_items)
"""Before a `tuple[X, ...]`: only a list of YAML will do, no string."""
CommunityValue = Annotated[Text, AfterValidator(_community), forms.COMMUNITY]
"""A standard community, or a large one of three numbers (RFC 1997, RFC 8092)."""
