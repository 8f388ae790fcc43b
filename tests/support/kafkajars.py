"""Fetches Apache Kafka with Maven, once per machine: no test may need more than `java` and `mvn`."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_POM = Path(__file__).with_name("realkafka.pom.xml")
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
_PROGRAMS = ("java", "mvn")
_TIME = 900.0
_LAST = 3000


class FetchError(Exception):
    """Maven could not fetch the jars."""


def missing_programs() -> list[str]:
    """Which programs that a real Kafka needs are not on the PATH."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


def kafka_jars() -> Path:
    """The directory of the jars, fetched if it is not there yet.

    Raises:
        FetchError: Maven failed; what it said is in the message.
    """
    directory = _cache() / _name()
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=directory.parent) as temporary:
            jars = Path(temporary, "jars")
            _fetch(jars)
            try:
                jars.rename(directory)  # so that only a whole directory has the name
            except OSError:
                if not directory.is_dir():  # else another process was faster
                    raise
    return directory


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "eplogging-tests")


def _name() -> str:
    """Another pom is another directory."""
    pom = _POM.read_text()
    version = re.search(r"<kafka\.version>(.+?)<", pom)
    assert version, "the pom names no kafka.version"
    return f"kafka-{version[1]}-{hashlib.sha256(pom.encode()).hexdigest()[:8]}"


def _fetch(jars: Path) -> None:
    # -U: Maven remembers failures, too, and would not try again.
    command = ["mvn", "-q", "-B", "-U", "-Dstyle.color=never", "-f", str(_POM), _GOAL]
    options = [f"-DoutputDirectory={jars}", "-Dmaven.wagon.http.retryHandler.count=3"]
    try:
        maven = subprocess.run(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIME,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise FetchError(f"Maven did not fetch Apache Kafka in {_TIME:.0f} s\n{late.output}") from None
    if maven.returncode or not list(jars.glob("kafka_*.jar")):
        raise FetchError(
            "Maven could not fetch Apache Kafka: is Maven Central, or the mirror in Maven's settings, "
            f"within reach?\n{maven.stdout[-_LAST:]}"
        )
