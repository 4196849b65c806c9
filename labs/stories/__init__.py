"""The stories of `labs/containerlab`, run for real: by containerlab, or in network namespaces.

Both ways read the same `.clab.yml`, give the nodes the same configs and run the same `verify.sh`. What
differs is in `containers.py` and `namespaces.py`.
"""
