"""The events that every contender is given, so that all of them carry the same load.

They are of our own making, of the size and shape of Wikimedia's examples of
/mediawiki/page/change/1.2.0 ("large") and /test/event/1.0.0 ("small").
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Event = dict[str, Any]

SCHEMAS = Path(__file__).parent / "schemas"
EXTENSION = ".yaml"
PREFIX = "eqiad."

# As an application logs them: meta.id, meta.dt and dt are left to whoever sends.
_SHA1 = "16619839a55cfb5c61bcf520bf9734e0c67f98cc"
LARGE: Event = {
    "$schema": "/shop/product/change/1.0.0",
    "changelog_kind": "update",
    "comment": "changed a thing",
    "meta": {"domain": "shop.example", "stream": "shop.product_change.v1"},
    "item": {
        "is_variant": True,
        "category_id": 1,
        "item_id": 1,
        "item_title": "example",
        "variant_of_product": {
            "is_variant": False,
            "category_id": 1,
            "item_id": 2,
            "item_title": "Another_product",
        },
        "version_count": 1,
    },
    "item_change_kind": "edit",
    "performer": {"user_id": 123, "user_text": "yoohoo"},
    "version": {
        "comment": "changed a thing",
        "content_parts": {
            "main": {
                "content_format": "text/x-wiki",
                "content_model": "wikitext",
                "content_sha1": _SHA1,
                "content_size": 100,
                "origin_ver_id": 2,
                "part_role": "main",
            }
        },
        "editor": {"user_id": 123, "user_text": "example"},
        "is_comment_visible": True,
        "is_content_visible": True,
        "is_editor_visible": True,
        "is_minor_edit": False,
        "ver_dt": "2021-01-01T00:00:00.0Z",
        "ver_id": 2,
        "ver_parent_id": 1,
        "ver_sha1": _SHA1,
        "ver_size": 100,
    },
    "shop_id": "example",
}
SMALL: Event = {
    "$schema": "/shop/ping/1.0.0",
    "meta": {"stream": "shop.ping"},
    "said": "specific test value",
    "said_map": {"key1": "val1", "key2": "val2"},
}
STREAMS: dict[str, Any] = {
    "shop.product_change.v1": {
        "schema_title": "shop/product/change",
        "message_key_fields": {"shop_id": "shop_id", "item_id": "item.item_id"},
        "topics": ["eqiad.shop.product_change.v1", "codfw.shop.product_change.v1"],
    },
    "shop.ping": {"schema_title": "shop/ping", "topics": ["eqiad.shop.ping", "codfw.shop.ping"]},
}


def event_of(size: str) -> Event:
    """The event that goes by a name: `large`, `small`, or a number of bytes (about, as it is sent)."""
    if size == "large":
        return LARGE
    if size == "small":
        return SMALL
    padding = "x" * max(int(size) - 200, 1)
    return {**SMALL, "said": padding[:1000], "said_map": _pieces(padding[1000:])}


def _pieces(text: str) -> dict[str, str]:
    """Texts of 1,000 characters, as events that are long have many fields rather than one."""
    return {f"key{start}": text[start : start + 1000] for start in range(0, len(text), 1000)}


def topic_of(event: Event) -> str:
    return PREFIX + str(event["meta"]["stream"])


def schema_of(event: Event) -> dict[str, Any]:
    """Its schema, as the bare loops' validators take it."""
    text = (SCHEMAS / f"{event['$schema'][1:]}{EXTENSION}").read_text(encoding="utf-8")
    schema: dict[str, Any] = yaml.safe_load(text)
    return {**schema, "$schema": "http://json-schema.org/draft-07/schema#"}
