"""The formats of JSON Schema as EventGate judges them: the one table that both validators use.

EventGate runs AJV 6 with its default `fast` formats. They are laxer than the standards they are
named after (a second of 60, the 39th of a month), and an event that EventGate takes must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .characters import PatternError
from .patterns import check, searcher

_DATE = r"\d\d\d\d-[01]\d-[0-3]\d"
_TIME = r"(?:[0-2]\d:[0-5]\d:[0-5]\d|23:59:60)(?:\.\d+)?"
_ZONE = r"(?:[zZ]|[+-]\d\d(?::?\d\d)?)"
_SCHEME = r"[a-zA-Z][a-zA-Z0-9+.-]*:"
_PERCENT = r"%[0-9a-fA-F]{2}"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d\d?)"
_POINTER = r"(?:\/(?:[^~\/]|~0|~1)*)*"
_HEX = r"[0-9a-fA-F]"


def _uri_template() -> str:
    variable = rf"(?:[a-zA-Z0-9_]|{_PERCENT})+(?::[1-9][0-9]{{0,3}}|\*)?"
    literal = rf"[^\x00-\x20\"'<>%\\^`{{|}}]|{_PERCENT}"
    expression = rf"\{{[+#./;?&=,!@|]?{variable}(?:,{variable})*\}}"
    return rf"^(?:{literal}|{expression})*$"


def _url() -> str:
    letter = r"[0-9a-zA-Z\u00a1-\uffff]"
    label = rf"(?:{letter}+-)*{letter}+"
    top = r"[a-zA-Z\u00a1-\uffff]{2,}"
    private = (
        r"(?!10(?:\.\d{1,3}){3})(?!127(?:\.\d{1,3}){3})(?!169\.254(?:\.\d{1,3}){2})"
        r"(?!192\.168(?:\.\d{1,3}){2})(?!172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})"
    )
    address = (
        r"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5])){2}"
        r"\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4])"
    )
    host = rf"(?:{private}{address}|{label}(?:\.{label})*\.{top})"
    scheme = r"(?:[hH][tT][tT][pP][sS\u017f]?|[fF][tT][pP])"
    return rf"^{scheme}:\/\/(?:\S+@)?{host}(?::\d{{2,5}})?(?:\/\S*)?$"


def _ipv6() -> str:
    group = _HEX + "{1,4}"
    octet = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
    ipv4 = rf"{octet}(?:\.{octet}){{3}}"
    forms = [f"(?:{group}:){{7}}(?:{group}|:)", f"(?:{group}:){{6}}(?::{group}|{ipv4}|:)"]
    for before in range(6):  # groups in front of the `::`
        head = f"(?:{group}:){{{before}}}" if before else ":"
        tail = f"(?::{group}){{1,{7 - before}}}|(?::{group}){{0,{5 - before}}}:{ipv4}|:"
        forms.append(f"{head}(?:{tail})")
    return rf"^\s*(?:{'|'.join(forms)})(?:%.+)?\s*$"


PATTERNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "date": (rf"^{_DATE}$",),
        "time": (rf"^{_TIME}{_ZONE}?$",),
        "date-time": (rf"^{_DATE}[tT\s]{_TIME}{_ZONE}$",),
        "uri": (rf"^{_SCHEME}\S*$",),
        "uri-reference": (rf"^(?:(?:{_SCHEME})?\/?\/)?(?:[^\\\s#][^\s#]*)?(?:#[^\\\s]*)?$",),
        "uri-template": (_uri_template(),),
        "url": (_url(),),
        "email": (rf"^[a-zA-Z0-9.!#$%&'*+\/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*$",),
        # the second one in place of a look-ahead, which would cost the linear engine
        "hostname": (rf"^{_LABEL}(?:\.{_LABEL})*\.?$", r"^.{1,253}\.?$"),
        "ipv4": (rf"^(?:{_OCTET}\.){{3}}{_OCTET}$",),
        "ipv6": (_ipv6(),),
        "uuid": (rf"^(?:[uU][rR][nN]:[uU]{{2}}[iI][dD]:)?{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}$",),
        "json-pointer": (rf"^{_POINTER}$",),
        "json-pointer-uri-fragment": (rf"^#(?:\/(?:[a-zA-Z0-9_.!$&'()*+,;:=@-]|{_PERCENT}|~0|~1)*)*$",),
        "relative-json-pointer": (rf"^(?:0|[1-9][0-9]*)(?:#|{_POINTER})$",),
    }
)
"""Format to ECMA-262 patterns, all of which a string must match."""


def is_regex(text: object) -> bool:
    r"""Judge the format `regex`: what `new RegExp(text)` takes, save `\Z`, which AJV refuses."""
    if not isinstance(text, str):
        return True
    if searcher(r"[^\\]\\Z")(text):
        return False
    try:
        check(text)
    except PatternError:
        return False
    return True


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    searches = [searcher(pattern) for pattern in patterns]
    return lambda text: all(search(text) is not None for search in searches)


CHECKS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {**{name: _matcher(patterns) for name, patterns in PATTERNS.items()}, "regex": is_regex}
)
"""Format to a function that judges a string."""
