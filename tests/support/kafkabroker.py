"""One process of a real Kafka, which cannot outlive the test that started it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

DEADLINE = 180.0
_STARTED = b"Transition from STARTING to STARTED"
_LAST = 5000
# Brokers live for seconds: the second compiler would only take the processors from them.
_JAVA = ["java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_LOGGING = {"showDateTime": "true", "dateTimeFormat": "HH:mm:ss.SSS"}

# Holds the broker's process: it passes on the signals that it reads, and when the test process is
# gone, however it ended, and the pipe with it, it kills the broker.
_KEEPER = """
import subprocess, sys, threading

broker = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

def obey():
    for line in sys.stdin:
        broker.send_signal(int(line))
    broker.kill()

threading.Thread(target=obey, daemon=True).start()
broker.wait()
"""

_PROPERTIES = """
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=DIRECT://{direct},PROXIED://{proxied},CONTROLLER://{controller}
advertised.listeners=DIRECT://{direct},PROXIED://{proxy}
listener.security.protocol.map=DIRECT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=DIRECT
log.dirs={logs}
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
# How soon a dead leader is replaced; by default it takes 9 seconds.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=3
log.cleaner.enable=false
"""


class Broker:
    """A broker that is also a controller: its directory, and its process while it runs.

    Args:
        directory: made here; has the broker's data and its log.
        jars: Kafka and what it needs.
        settings: a value for each name in the properties above.
    """

    def __init__(self, directory: Path, jars: Path, **settings: str) -> None:
        directory.mkdir(parents=True)
        self.address = settings["direct"]
        self._log = directory / "broker.log"
        logging = [f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in _LOGGING.items()]
        self._java = [*_JAVA, *logging, "-cp", f"{jars}/*"]
        self._data = directory / "data"
        self._properties = directory / "server.properties"
        self._properties.write_text(_PROPERTIES.format(logs=self._data.as_posix(), **settings))
        self._keeper: subprocess.Popen[str] | None = None
        self._log_size = 0

    def format(self, cluster_id: str) -> subprocess.Popen[bytes]:
        """Begin to prepare the directory; a broker starts in no other."""
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}"]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*self._java, *tool, f"--config={self._properties}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def launch(self) -> None:
        """Begin to start."""
        assert not self.running
        with self._log.open("ab") as log:
            self._log_size = log.tell()
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-c", _KEEPER, *self._java, "kafka.Kafka", str(self._properties)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the test, which then ends its brokers
            )

    @property
    def running(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def started(self) -> bool:
        """Whether it has caught up with the cluster since `launch`; a broker that ended is an error."""
        assert self.running, f"a broker ended: {self.last_words()}"
        with self._log.open("rb") as log:
            log.seek(self._log_size)
            return _STARTED in log.read()

    def end(self, number: signal.Signals) -> None:
        """Send a signal, and wait for the end."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        assert keeper.stdin
        with contextlib.suppress(BrokenPipeError):
            keeper.stdin.write(f"{number.value}\n")
            keeper.stdin.flush()
        try:
            keeper.wait(DEADLINE)
        finally:
            with contextlib.suppress(BrokenPipeError):
                keeper.stdin.close()
            keeper.wait()

    def discard(self) -> None:
        """Remove the data of a broker that has ended; its log stays."""
        shutil.rmtree(self._data, ignore_errors=True)

    def last_words(self) -> str:
        return f"{self._log}\n{self._log.read_text(errors='replace')[-_LAST:]}"
