"""What machines look at: metrics for Prometheus, and whether the daemon lives and is ready, over HTTP.

Only there if it is asked for (`run --listen`), and only then are its libraries loaded.
"""
