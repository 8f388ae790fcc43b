"""Keeps what must stay secret out of every text: passwords, keys, headers, and who logs in to a URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REDACTED = "[redacted]"

_USERINFO = re.compile(r"(//)[^/\s?#'\"]*@")
_SHORTEST = 4
"""Characters of a secret that is looked for: a shorter one would be found in every other word."""

_SECRET_NAME = re.compile(r"password|secret|\.pem$|sasl\.oauthbearer\.config|sasl\.jaas|\.username$|token")


def shown(location: object) -> str:
    """A location without the user and password that its URL may hold."""
    return _USERINFO.sub(rf"\1{REDACTED}@", str(location))


class Secrets:
    """The secrets of one configuration, to be taken out of texts that others write.

    Args:
        values: the secrets.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        texts = {text for value in values for text in _spellings(value) if len(text) >= _SHORTEST}
        longest_first = sorted(texts, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, longest_first))) if texts else None

    @classmethod
    def of_kafka(cls, configuration: Mapping[str, Any]) -> Secrets:
        """Those of librdkafka's properties: `sasl.password`, `ssl.key.pem` and the like."""
        return cls(value for name, value in configuration.items() if _SECRET_NAME.search(str(name)))

    def hide(self, text: str) -> str:
        """A text without the secrets, and without users and passwords in URLs."""
        text = shown(text)
        return text if self._secret is None else self._secret.sub(REDACTED, text)


def _spellings(value: Any) -> set[str]:
    """How a secret may stand in a text: as it is, as `repr` shows it, and in its lines."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return {text, text.strip(), repr(text)[1:-1], *(line.strip() for line in text.splitlines())}
