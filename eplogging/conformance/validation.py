"""One interface to two validators, so that nothing else depends on which one is installed.

`jsonschema-rs` (the extra `fast`) is some 200 times faster than `jsonschema`; both give the same
verdicts and name the same places and keywords.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from .backtracking import cost_of
from .bundling import Bundle
from .characters import PatternError
from .errors import ConfigurationError, InsecureSchemaError, SchemaError, Violation
from .patterns import MAX_COUNTED, MAX_TRANSLATED, counted, looks_around, searcher, translate
from .python_validator import PythonValidator

try:
    from .rust_validator import RustValidator
except ImportError:  # without the extra `fast`
    RustValidator = None  # type: ignore[assignment,misc]

_MAX_STEPS = 200_000
"""Steps that it may take to tell what a schema's patterns cost."""

Implementation = Literal["jsonschema", "jsonschema-rs"]


class Validator(Protocol):
    """Judges events by one schema."""

    def is_valid(self, instance: Any, /) -> bool:
        """Judge an event.

        Raises:
            ValueError: `jsonschema-rs` met a value that is not JSON.
        """

    def violations(self, event: Any, /) -> list[Violation]:
        """Name every place where an event breaks the schema, at most `MAX_VIOLATIONS`.

        Raises:
            ValueError: `jsonschema-rs` met a value that is not JSON.
        """


def compile_validator(bundle: Bundle, implementation: Implementation | None = None) -> Validator:
    """Compile a bundled schema.

    Args:
        bundle: the schema.
        implementation: `jsonschema` or `jsonschema-rs`; the faster one that is installed if None.

    Raises:
        SchemaError: a pattern in it can not be run, or it holds something that is not JSON.
        ConfigurationError: the implementation that is asked for is not installed.
    """
    if implementation == "jsonschema-rs" and RustValidator is None:
        raise ConfigurationError("jsonschema-rs is not installed; install eplogging[fast]")
    _refuse_bad_patterns(bundle)
    if implementation != "jsonschema" and RustValidator is not None:
        return RustValidator(bundle)
    return PythonValidator(bundle)


def refuse_explosive_patterns(bundle: Bundle) -> None:
    """Refuse patterns that could stall Python's engine.

    The extra `fast` judges with a linear one, but the same schemas shall be taken without it, and
    Python's engine decides there too which defaults and messages a property gets.

    Raises:
        InsecureSchemaError: a pattern's time may grow exponentially with the text.
    """
    steps, names = 0, _patterns_of_names(bundle)
    for pattern in sorted(bundle.patterns):
        cost = cost_of(translate(pattern))
        if cost is None:
            raise InsecureSchemaError(
                f"schema {bundle.uri} is insecure: the pattern {pattern[:200]!r} could take exponential "
                "time; let no loop in it match a text in two ways, or set allow_insecure_schemas",
                schema_uri=bundle.uri,
            )
        if pattern in names and cost.longest_text is not None and looks_around(pattern):
            raise InsecureSchemaError(
                f"schema {bundle.uri} is insecure: the pattern {pattern[:200]!r} of names looks "
                "around or refers back, and could take long; let patternProperties do without, or set "
                "allow_insecure_schemas",
                schema_uri=bundle.uri,
            )
        steps += cost.steps
        if steps > _MAX_STEPS:
            raise InsecureSchemaError(
                f"schema {bundle.uri} is insecure: its patterns together are too many or too large to tell "
                "how long they take; use fewer or simpler ones, or set allow_insecure_schemas",
                schema_uri=bundle.uri,
            )


def _patterns_of_names(bundle: Bundle) -> set[str]:
    return {
        name
        for node in bundle.schemas()
        if isinstance(node, dict)
        for name in node.get("patternProperties", ())
    }


def _refuse_bad_patterns(bundle: Bundle) -> None:
    if sum(map(counted, bundle.patterns)) > MAX_COUNTED:
        raise SchemaError(
            f"schema {bundle.uri}: the {{...}} in its patterns count to more than {MAX_COUNTED:,} together; "
            "let maxLength count",
            schema_uri=bundle.uri,
        )
    translated = 0
    for pattern in sorted(bundle.patterns):
        try:
            translated += len(translate(pattern))
            if translated > MAX_TRANSLATED:
                raise PatternError(
                    f"with the ones before it has more than {MAX_TRANSLATED:,} characters, each class "
                    "such as \\s written out"
                )
            searcher(pattern)
        except PatternError as error:
            raise SchemaError(
                f"schema {bundle.uri}: the pattern {pattern[:200]!r} can not be used ({error}); correct it",
                schema_uri=bundle.uri,
            ) from error
