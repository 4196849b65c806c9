"""Faults in a row, for as long as one likes: `python -m tests.soak`, or `make soak`."""
