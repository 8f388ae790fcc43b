"""What eplogging costs beside what else there is; `python -m benchmarks` measures and prints it."""
