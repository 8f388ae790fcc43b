"""A package by name: kafka-logging-handler, a yardstick of the benchmarks, installs a `tests` of its own."""
