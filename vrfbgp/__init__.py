"""vrfbgp: a BGP/VRF route controller for the egress nodes of a cluster."""

__version__ = "0.1.0"
