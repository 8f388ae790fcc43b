"""A package by name, since kafka-logging-handler, a yardstick of the benchmarks, installs a `tests` of its own."""
