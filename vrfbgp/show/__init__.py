"""What the commands print for people, from the same values that `--json` prints for scripts."""
