"""Packaging metadata, so that pip installs eplogging with what it needs and no more."""

from pathlib import Path

from setuptools import Extension, find_packages, setup

# The lower bounds are the oldest releases that the tests were run with, all at once.
REQUIRED = [
    "confluent-kafka>=2.12",
    "jsonschema>=4.18",
    "jsonschema-specifications>=2023.7.1",
    "python-json-logger>=4.0",
    "PyYAML>=6.0.1",
    "referencing>=0.30",
    "requests>=2.32.2",
]
FAST = ["jsonschema-rs>=0.60", "orjson>=3.10"]
# The yardsticks of `python -m benchmarks`, and what measures and draws.
BENCH = [
    "kafka-logging-handler>=0.2.5",
    "loguru>=0.7",
    "matplotlib>=3.8",
    "opentelemetry-sdk>=1.30",
    "psutil>=5.9",
    "structlog>=24.1",
]
# What looks for known vulnerabilities and for risky code.
AUDIT = ["bandit[toml]>=1.8,<2", "pip-audit>=2.9,<3"]
# The checkers are bounded above: a new release of one may find fault with code that did not change.
TEST = [
    "celery>=5.4",
    "gunicorn>=22",
    "hypothesis>=6.100",
    "mypy>=2.4,<3",
    "pytest>=8.2",
    "pytest-timeout>=2.3.1",
    "ruff>=0.17,<0.18",
    "types-jsonschema",
    "types-PyYAML",
    "types-requests",
]

# Optional: where there is no C compiler, pip installs the rest, and Python does what these do faster.
WRITTEN_IN_C = [
    Extension(
        f"eplogging.{name}",
        [f"eplogging/{name.replace('.', '/')}.c"],
        depends=[str(path) for path in Path("eplogging").rglob("*.h")],
        extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Wno-missing-field-initializers"],
        optional=True,
    )
    for name in ("_intake", "conformance._warm", "sinks._tally")
]

setup(
    name="eplogging",
    version="0.1.0",
    description="Event Platform events on Kafka, straight from Python's standard logging",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["eplogging", "eplogging.*"]),
    package_data={"eplogging": ["py.typed", "*.pyi", "*/*.pyi"]},
    ext_modules=WRITTEN_IN_C,
    python_requires=">=3.10",
    install_requires=REQUIRED,
    extras_require={"audit": AUDIT, "bench": BENCH, "fast": FAST, "test": TEST},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Logging",
        "Typing :: Typed",
    ],
)
