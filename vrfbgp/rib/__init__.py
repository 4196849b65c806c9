"""Routes on their way from a peer's bytes to the best paths of a network; sans-IO."""
