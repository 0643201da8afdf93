"""Readers of other people's files: each gives items and events as JSON objects, in time order."""
