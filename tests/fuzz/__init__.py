"""Fuzzers with bounded time. Each is a program: `python -m tests.fuzz.decoder --seconds 60`."""
