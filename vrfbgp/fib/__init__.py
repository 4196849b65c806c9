"""From chosen routes to kernel operations: desired and actual state, and what turns one into the other."""
