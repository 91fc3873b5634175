"""Many runs: a grid of them on any number of machines, which layer to fuse, and what the numbers say."""

HEARTBEAT = 20
"""Seconds between two heartbeats of a worker; after three missed ones it counts as dead."""
