"""Every verdict of EventGate's own validator on real events, reached with both validators."""

import gzip
import json
import re
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path

import pytest
import yaml

from eplogging.conformance.compiled import compile_schema
from eplogging.conformance.errors import SchemaNotFoundError
from tests.unit.conformance.world import both_implementations

WMF = Path(__file__).parents[4] / "shared" / "wmf"
VERDICTS = WMF / "eventgate-verdicts.ndjson.gz"
REPOSITORIES = (WMF / "primary" / "jsonschema", WMF / "secondary" / "jsonschema")

needs_wmf = pytest.mark.skipif(not VERDICTS.exists(), reason=f"no real data in {WMF}")
both = both_implementations


class JSONLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML of which only what JSON has too is more than text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012


for tag, pattern, first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|", "n"),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    JSONLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})\\Z"), list(first))


def read(uri):
    """The document at a schema URI; a link that was checked out as text is followed."""
    for repository in REPOSITORIES:
        for path in (repository / uri.strip("/"), repository / f"{uri.strip('/')}.yaml"):
            if path.is_file():
                text = path.read_text()
                if "\n" not in text.strip() and text.strip().endswith(".yaml"):
                    text = (path.parent / text.strip()).read_text()
                return yaml.load(text, JSONLoader)
    raise SchemaNotFoundError(f"no {uri}")


@lru_cache
def verdicts():
    with gzip.open(VERDICTS, "rt") as lines:
        found = [json.loads(line) for line in lines]
    return [verdict for verdict in found if verdict.get("error") in (None, "validation")]


@cache
def compiled(uri, implementation):
    return compile_schema(uri, read(uri), read, implementation=implementation)


def versioned():
    for repository in REPOSITORIES:
        for path in sorted(repository.rglob("*.yaml")):
            if path.stem not in ("current", "latest"):
                yield "/" + str(path.relative_to(repository).with_suffix(""))


def judged(verdict, implementation):
    # EventGate also takes /x/1.0.0# and /x/1.0.0.yaml; which URIs are taken here is tested elsewhere
    uri = verdict["event"]["$schema"].removesuffix("#").removesuffix(".yaml")
    schema = compiled(uri, implementation)
    event = verdict["event"]
    if schema.fill_defaults is not None:
        event = schema.fill_defaults(event)
    return schema, event


@needs_wmf
@both
def test_verdicts(implementation):
    differences = Counter()
    shown = {}
    for verdict in verdicts():
        schema, event = judged(verdict, implementation)
        if schema.is_valid(event) is not verdict["valid"]:
            key = (verdict["id"].split("|")[1], verdict["valid"])
            differences[key] += 1
            shown.setdefault(key, verdict)
        elif verdict["valid"] and event != verdict.get("with_defaults", verdict["event"]):
            differences["defaults"] += 1
            shown.setdefault("defaults", verdict)
    assert not differences, (differences, {k: (v["id"], v.get("errors")) for k, v in shown.items()})


@needs_wmf
@both
def test_violations_name_the_places_and_keywords_that_ajv_names(implementation):
    differences = []
    for verdict in verdicts():
        if not verdict["valid"]:
            schema, event = judged(verdict, implementation)
            found = {(v.path, v.keyword) for v in schema.violations(event)}
            if found != said_by_ajv(verdict["errors"], event):
                differences.append((verdict["id"], sorted(found), verdict["errors"]))
    assert not differences, (len(differences), differences[:3])


AJV_TEXT = re.compile(r"^'(.*?)' should (.*)$", re.DOTALL)
AJV_STEP = re.compile(r"\.([A-Za-z$_][A-Za-z$_0-9]*)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]", re.DOTALL)
AJV_WORDS = {
    "have required": "required",
    "NOT have additional": "additionalProperties",
    "be equal to one": "enum",
    "be equal to constant": "const",
    "match format": "format",
    "match pattern": "pattern",
    "be >=": "minimum",
    "be <=": "maximum",
    "NOT be longer": "maxLength",
    "NOT be shorter": "minLength",
    "NOT have duplicate": "uniqueItems",
    "be ": "type",
}
AJV_COUNTS = re.compile(r"NOT have (more|fewer) than \d+ (items|properties)")


def said_by_ajv(errors, event):
    """The places and keywords in AJV's text."""
    found = set()
    for part in re.split(r", (?=')", errors):
        where, what = AJV_TEXT.match(part).groups()
        counted = AJV_COUNTS.match(what)
        if counted:
            keyword = ("max" if counted[1] == "more" else "min") + counted[2].capitalize()
        else:
            keyword = next(word for start, word in AJV_WORDS.items() if what.startswith(start))
        steps = [next(filter(None, step)).replace("\\'", "'") for step in AJV_STEP.findall(where)]
        found.add(("".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps), keyword))
    return found
