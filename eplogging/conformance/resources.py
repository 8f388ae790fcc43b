"""Reading one document from a path or a URL, within bounds of size and time.

Schema repositories and stream configs are read through here and nowhere else, so that what may
be opened and asked, how long it may take and how it can fail is decided in one place.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from .errors import ConfigurationError
from .forking import imported
from .secrets import Secrets, shown

if TYPE_CHECKING:
    import requests


DEFAULT_TIMEOUT = 5.0
"""Seconds that one request may take, from its start to the last byte of the answer."""

_HTTP_OPTIONS = ("headers", "timeout", "verify", "cert", "proxies")
_OWN_HEADERS = {"User-Agent": "eplogging"}
_NO_HEADER = re.compile(r"[\r\n\0]|^\s")
_COME_LATER = frozenset({401, 407, 408, 425, 429})
"""Statuses from 400 to 499 that say nothing of the document; the others say that it can not be had. A store
of files answers 403, too, where there is none."""


class ResourceUnavailable(Exception):  # noqa: N818 - it is no error of the document: it may come later
    """The resource could not be asked; it may be there."""


class ResourceInvalid(Exception):  # noqa: N818 - see above
    """The resource is there and is no document that may be used."""


def is_url(location: str) -> bool:
    """Whether a configured location is a `http(s)://` URL rather than a path."""
    return location[:8].lower().startswith(("http://", "https://"))


def to_path(location: str | os.PathLike[str]) -> Path:
    """A path or a `file://` URL as a path.

    Raises:
        ConfigurationError: the location is a URL of another scheme or names another host.
    """
    text = os.fspath(location)
    parts = urlsplit(text)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if "://" in text:
        raise ConfigurationError(
            f"{shown(text)!r} can not be read; use a path, file:///path, http:// or https://"
        )
    return Path(text)


class Reader:
    """Reads documents with one set of HTTP options.

    Args:
        http: options of every request, named as `requests` names them: `headers`, `timeout`
            (seconds for a whole answer; 5 by default), `verify` (False, or the path of a CA
            bundle), `cert` (the client's), `proxies`.

    Raises:
        ConfigurationError: an option that is none of these, or has a wrong value.
    """

    def __init__(self, http: Mapping[str, Any] | None = None) -> None:
        if not isinstance(http, (Mapping, type(None))):
            raise ConfigurationError(f"http must be a mapping with {', '.join(_HTTP_OPTIONS)}")
        options = dict(http or {})
        for name in options:
            if name not in _HTTP_OPTIONS:
                raise ConfigurationError(
                    f"http: unknown option {name!r}; known are {', '.join(_HTTP_OPTIONS)}"
                )
        self._timeout = options.pop("timeout", DEFAULT_TIMEOUT)
        if (
            isinstance(self._timeout, bool)
            or not isinstance(self._timeout, (int, float))
            or not 0 < self._timeout < math.inf
        ):
            raise ConfigurationError("http: timeout must be a positive number of seconds")
        headers = options.pop("headers", None) or {}
        _check_headers(headers)
        self._headers = {**_OWN_HEADERS, **headers}
        self._secrets = Secrets(headers.values())
        _check_options(options)
        if isinstance(options.get("cert"), list):
            options["cert"] = tuple(options["cert"])  # YAML has no tuples, and requests takes no list
        self._options = options
        self.deadline = math.inf

    @staticmethod
    def prepare() -> None:
        """Imports what asks servers, while the application is being configured.

        urllib3 makes loggers when it is imported. In the background that would wait for `dictConfig`,
        which may be waiting for the background to end.
        """
        imported("requests")

    def file(self, path: Path, max_bytes: int) -> Any | None:
        """The document in a file, or None where there is no such file.

        Raises:
            ResourceInvalid: larger than `max_bytes`, or no YAML or JSON document.
            ResourceUnavailable: the file is there and can not be read.
        """
        try:
            with open(path, "rb") as file:
                content = file.read(max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise ResourceUnavailable(f"{path}: {error}") from error
        return _document(str(path), content, max_bytes)

    def url(self, url: str, max_bytes: int, foreign: bool = False) -> Any | None:
        """The document at a URL, or None where the server says that there is none.

        Args:
            url: the address.
            max_bytes: of the decoded answer.
            foreign: whether the address is not the configuration's own: then it gets neither the
                configured headers nor the client's certificate.

        No text of an error shows a header's value, or the user and password of a URL.

        Redirects are not followed: they could lead off the configured host.

        Raises:
            ResourceInvalid: a redirect, an answer over `max_bytes` (decoded), or no YAML or JSON.
            ResourceUnavailable: no answer in time, a refused connection, or a status that says
                nothing of the document itself (5xx, 401, 429 ...).
        """
        requests, urllib3 = imported("requests"), imported("urllib3")
        timeout = min(self._timeout, self.deadline - time.monotonic())
        if timeout <= 0:
            raise ResourceUnavailable(f"{shown(url)} is not asked any more: the handler is being closed")
        failure: Exception
        try:
            return self._document_at(url, max_bytes, foreign, timeout)
        except (requests.exceptions.InvalidURL, UnicodeError) as error:
            failure = ResourceInvalid(
                f"{shown(url)[:200]!r} is no address that can be asked: {self._told(error)[:200]}"
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = ResourceUnavailable(f"{shown(url)}: {type(error).__name__}: {self._told(error)[:300]}")
        raise failure  # here, where it keeps nothing of the request, whose headers may be secret

    def _document_at(self, url: str, max_bytes: int, foreign: bool, timeout: float) -> Any | None:
        # A session of its own: look-ups are rare, and sessions survive neither forks nor threads.
        with (
            _session(time.monotonic() + timeout) as session,
            session.get(
                url,
                headers=_OWN_HEADERS if foreign else self._headers,
                auth=_no_netrc(url),
                timeout=timeout,
                allow_redirects=False,
                stream=True,
                **{name: self._options[name] for name in self._options if name != "cert" or not foreign},
            ) as response,
        ):
            status = response.status_code
            if 400 <= status < 500 and status not in _COME_LATER:
                return None
            if response.is_redirect:
                target = self.hide(response.headers.get("Location", ""))[:200]
                raise ResourceInvalid(
                    f"{shown(url)} redirects to {target!r}; configure the address that answers itself"
                )
            if status >= 400:
                raise ResourceUnavailable(f"{shown(url)} answered with status {status}")
            if status != 200:
                raise ResourceInvalid(f"{shown(url)} answered with status {status}, which is no document")
            content = _body(response, max_bytes)
        try:
            return _document(shown(url), content, max_bytes)
        except ResourceInvalid as error:
            text = self.hide(str(error))  # a server may answer with what it was sent
        raise ResourceInvalid(text)

    def hide(self, text: str) -> str:
        """A text without the values of the configured headers, and without users and passwords in URLs."""
        return self._secrets.hide(text)

    def _told(self, error: Exception) -> str:
        """An error's text. The error itself is not kept: tools that show it show the request's headers."""
        return self._secrets.hide(str(error))


def _check_headers(headers: Any) -> None:
    """Refuses what `requests` would refuse later, with the header's value in its text."""
    if not isinstance(headers, Mapping):
        raise ConfigurationError("http: headers must be a mapping from names to texts")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str) or _NO_HEADER.search(value):
            raise ConfigurationError(
                f"http: the header {str(name)[:100]!r} must have a text of one line as its value"
            )


_KINDS: Mapping[str, tuple[type, ...]] = {
    "verify": (bool, str),
    "cert": (str, list, tuple),
    "proxies": (Mapping,),
}


def _check_options(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if value is not None and not isinstance(value, _KINDS[name]):
            kinds = " or ".join(kind.__name__ for kind in _KINDS[name])
            raise ConfigurationError(f"http: {name} must be a {kinds}; it is a {type(value).__name__}")
    cert = options.get("cert")
    if isinstance(cert, (list, tuple)) and not (len(cert) == 2 and all(isinstance(one, str) for one in cert)):
        raise ConfigurationError("http: cert must be the path of a file, or those of certificate and key")


def _session(deadline: float) -> requests.Session:
    adapter = imported("eplogging.conformance.deadlines").DeadlineAdapter
    session: requests.Session = imported("requests").Session()
    # What it prepares for a redirect that is not followed would look into `~/.netrc`.
    session.resolve_redirects = lambda *_args, **_options: iter(())  # type: ignore[method-assign]
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter(deadline))
    return session


def _no_netrc(url: str) -> Any:
    """What logs in: the URL's own user, else nobody. Without it, `requests` would look into `~/.netrc`."""
    try:
        given = imported("requests.utils").get_auth_from_url(url)
    except ValueError:  # it is no URL; the request will say so
        given = ()
    return given if any(given) else lambda request: request


def _body(response: requests.Response, max_bytes: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(4096):
        content += chunk
        if len(content) > max_bytes:
            break
    return bytes(content)


def _document(location: str, content: bytes, max_bytes: int) -> Any:
    if len(content) > max_bytes:
        raise ResourceInvalid(f"{location} is larger than {max_bytes:,} bytes")
    documents = imported("eplogging.conformance.documents")
    try:
        document = documents.parse(content)
    except documents.DocumentError as error:
        raise ResourceInvalid(f"{location}: {error}") from None
    if document is None:
        raise ResourceInvalid(f"{location} is empty")
    return document
