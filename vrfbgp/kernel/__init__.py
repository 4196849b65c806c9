"""The kernel edge: netlink in and out, and nothing that decides.

`edge.Kernel` is what the daemon uses. `batch` (operations to octets) and `parse` (octets to values) are
pure; `netlink` is the socket; `writer`, `reader` and `watch` are the three things done with it.
"""

from vrfbgp.kernel.edge import Kernel
from vrfbgp.kernel.preflight import Unfit

__all__ = ["Kernel", "Unfit"]
