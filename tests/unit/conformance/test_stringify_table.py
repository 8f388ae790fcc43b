"""The bytes of `JSON.stringify`, as a table that is checked in and that node computes again where it is.

Python and JavaScript read the texts alike: integers beyond 2^53, which JavaScript can not hold, and
keys that look like integers, which it sorts to the front, are left out.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from eplogging.conformance import Conformer
from eplogging.conformance.jsondata import plain, stringify
from tests.unit.conformance.world import VECTORS, both_validators, event

ROWS = json.loads((VECTORS / "stringify.json").read_text("utf-8"))
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
PROGRAM = """
let texts = '';
process.stdin.on('data', part => texts += part).on('end', () =>
    console.log(JSON.stringify(JSON.parse(texts).map(text => JSON.stringify(JSON.parse(text))))));
"""

each_row = pytest.mark.parametrize("row", ROWS, ids=[ascii(row["text"])[:40] for row in ROWS])


def node(texts: list[str]) -> Any:
    assert NODE is not None
    done = subprocess.run(
        [NODE, "-e", PROGRAM],
        input=json.dumps(texts),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def written(text: str) -> str:
    return stringify(plain(json.loads(text))).decode()


@each_row
def test_the_careful_way(row: dict[str, str]) -> None:
    assert written(row["text"]) == row["stringified"]


@both_validators
@each_row
def test_in_an_event_and_in_its_key(
    row: dict[str, str], validator: str, make: Callable[..., Conformer]
) -> None:
    streams = {"s": {"schema_title": "test/event", "message_key_fields": {"k": "other"}}}
    conformer = make(validator=validator, stream_config_uri=streams)
    message = conformer.conform(event(stream="s", other=json.loads(row["text"]), dt="2020-01-01T00:00:00Z"))
    assert message.key is not None
    assert message.key.decode() == f'{{"k":{row["stringified"]}}}'
    assert f'"other":{row["stringified"]},"dt"' in message.value.decode()


@needs_node
def test_the_table_is_what_node_says() -> None:
    assert [row["stringified"] for row in ROWS] == node([row["text"] for row in ROWS])


@needs_node
def test_numbers_of_all_sizes_are_as_node_says() -> None:
    chance = random.Random(1)
    numbers = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(5000)]
    numbers += [chance.uniform(-1, 1) * 10 ** chance.randint(-25, 25) for _ in range(5000)]
    numbers += [
        float(f"{sign}{digit}e{power}") for power in range(-30, 31) for digit in (1, 1.5, 9) for sign in "+-"
    ]
    numbers += [float(2**power) for power in range(1024)] + [float(10**power) for power in range(309)]
    texts = [repr(number) for number in numbers if number - number == 0]
    assert [written(text) for text in texts] == node(texts)


@needs_node
def test_every_character_is_as_node_says() -> None:
    codes = [*range(0xD800), *range(0xE000, 0x11000), *range(0x1F000, 0x1F800), 0x10FFFF]
    texts = [json.dumps("".join(map(chr, codes[start : start + 256]))) for start in range(0, len(codes), 256)]
    assert [written(text) for text in texts] == node(texts)
