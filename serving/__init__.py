"""The HTTP door: addresses, keys, limits and status codes in front of the ports it is given."""
