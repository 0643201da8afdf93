"""The `clickwise` command: the one place that wires all parts."""
