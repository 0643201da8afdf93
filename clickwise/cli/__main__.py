"""`python -m clickwise.cli`: the same as `clickwise`."""

from clickwise.cli import main

main()
