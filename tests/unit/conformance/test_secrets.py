"""Secrets are taken out of texts in whatever way they stand there; what is no secret stays."""

from __future__ import annotations

import pytest

from eplogging.conformance.secrets import Secrets, shown


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://me:pw@host/x?y#z", "http://[redacted]@host/x?y#z"),
        ("HTTPS://me@host:8080", "HTTPS://[redacted]@host:8080"),
        ("asked: http://a:b@c/, http://d/ and ftp://e:f@g", "asked: http://[redacted]@c/, http://d/ and ftp://[redacted]@g"),
        ("http://me:p@w@host/", "http://[redacted]@host/"),
        ("http://host/x@y", "http://host/x@y"),
        ("http://host?user@x", "http://host?user@x"),
        ("/srv/a@b", "/srv/a@b"),
        ("me@example.org", "me@example.org"),
    ],
)  # fmt: skip
def test_users_and_passwords_of_urls(location: str, expected: str) -> None:
    assert shown(location) == expected


def test_secrets_are_found_as_they_are_shown() -> None:
    secrets = Secrets(
        ["line one\nline two", b"in bytes", 12345, "abc", None, "long secret", "long secret too"]
    )
    hidden = secrets.hide(
        "line two, 'line one\\nline two', in bytes, 12345, abc, long secret too, long secret"
    )
    assert hidden.count("[redacted]") == 6
    assert "abc" in hidden
    assert not any(word in hidden for word in ("line", "bytes", "12345", "long", "too"))


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("sasl.password", True),
        ("ssl.key.password", True),
        ("ssl.key.pem", True),
        ("ssl.keystore.password", True),
        ("sasl.oauthbearer.client.secret", True),
        ("sasl.oauthbearer.config", True),
        ("bootstrap.servers", False),
        ("client.id", False),
        ("sasl.mechanisms", False),
        ("ssl.ca.location", False),
    ],
)
def test_which_properties_of_kafka_are_secret(name: str, is_secret: bool) -> None:
    hidden = Secrets.of_kafka({name: "the value"}).hide("it is the value")
    assert hidden == ("it is [redacted]" if is_secret else "it is the value")


def test_without_secrets_a_text_stays() -> None:
    assert Secrets(()).hide("text") == "text"
