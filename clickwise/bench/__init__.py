"""Measurements of the running system; `clickwise bench` is the command."""
