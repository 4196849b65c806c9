"""Labs in network namespaces: a node, real routers, gateways and servers on one machine, as root.

`make demo` and the tests of the real kernel share them. Nothing here imports the product: it is
started as a user starts it, by its command line.
"""
