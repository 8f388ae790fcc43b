"""One stream's settings: regexes between slashes, and errors that name the stream and a remedy.

The rules on topics and titles are rows of the vectors; here is what those can not say.
"""

from __future__ import annotations

import pytest

from eplogging.conformance import StreamConfigError, TopicError
from eplogging.conformance.settings import compile_regex, settings_of


@pytest.mark.parametrize(
    ("text", "matches", "misses"),
    [
        (r"/^a\.b$/", ["a.b"], ["axb", "xa.b", "a.bc"]),
        ("/b/", ["abc"], ["acc"]),
        ("/^AB/i", ["abc", "ABC"], ["xab"]),
        ("/^a/u", ["a"], ["A"]),
        ("/^a b$/x", ["ab"], ["a b"]),
        ("/a/b/", ["xa/b"], ["ab"]),
        (r"/^mediawiki\.edit(\..+)?/", ["mediawiki.edit", "mediawiki.edit.x"], ["mediawiki_edit"]),
    ],
)
def test_regexes(text: str, matches: list[str], misses: list[str]) -> None:
    pattern = compile_regex(text)
    assert pattern is not None
    assert all(map(pattern.search, matches))
    assert not any(map(pattern.search, misses))


@pytest.mark.parametrize("text", ["a.b", "/", "/a", "a/", "/a/q", "^a$", "", 7, None])
def test_plain_names(text: object) -> None:
    assert compile_regex(text) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["/(/", "/[/", "/a**/"])
def test_no_regex(text: str) -> None:
    with pytest.raises(StreamConfigError, match="is no valid regex"):
        compile_regex(text)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("text", "no settings"),
        ([], "no settings"),
        ({"schema_title": ""}, "no schema_title"),
        ({"schema_title": 1}, "no schema_title"),
        ({"schema_title": "t", "message_key_fields": {"a": 1}}, "from names to dotted paths"),
        ({"schema_title": "t", "message_key_fields": {"a": ""}}, "from names to dotted paths"),
        ({"schema_title": "t", "message_key_fields": "a"}, "from names to dotted paths"),
        ({"schema_title": "t", "topics": [1]}, "topics must be a list"),
        ({"schema_title": "t", "topics": {"a": "b"}}, "topics must be a list"),
        ({"schema_title": "t", "topics": ["/(/"]}, "is no valid regex"),
        ({"schema_title": "t", "topic_prefixes": [1]}, "topic_prefixes must be a list"),
    ],
)
def test_wrong_settings_are_an_error_of_each_event(settings: object, says: str) -> None:
    stream = settings_of("test.s", settings, "")
    assert stream.error is not None
    kind, text = stream.error
    assert kind is StreamConfigError
    assert says in text
    assert "test.s" in text or "regex" in text


@pytest.mark.parametrize("nothing", [None, [], {}])
def test_no_key_fields(nothing: object) -> None:
    stream = settings_of("s", {"schema_title": "t", "message_key_fields": nothing}, "")
    assert (stream.error, stream.key_fields) == (None, ())


def test_key_fields_keep_their_order_and_are_split_once() -> None:
    stream = settings_of("s", {"schema_title": "t", "message_key_fields": {"z": "a.b.c", "a": "d"}}, "")
    assert stream.key_fields == (("z", ("a", "b", "c")), ("a", ("d",)))


@pytest.mark.parametrize(
    ("topics", "prefix", "remedy"),
    [
        (["eqiad.s"], "", "set topic_prefix to the part before the stream"),
        (["eqiad.s"], "codfw.", "change topic_prefix 'codfw.'"),
    ],
)
def test_the_remedy_for_a_topic(topics: list[str], prefix: str, remedy: str) -> None:
    stream = settings_of("s", {"schema_title": "t", "topics": topics}, prefix)
    assert stream.error is not None
    assert stream.error[0] is TopicError
    assert remedy in stream.error[1]


@pytest.mark.parametrize("prefix", ["a/", "ä", "x" * 249, "a b", "a\n"])
def test_a_prefix_that_kafka_would_not_take(prefix: str) -> None:
    stream = settings_of("s", {"schema_title": "t"}, prefix)
    assert stream.error is not None
    assert "no name of a Kafka topic" in stream.error[1]
