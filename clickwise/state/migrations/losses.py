"""What is lost by going back to each schema, in a sentence: it is told before it is done.

A row for every schema but the newest. Each tells what its own step takes, so that going back over
several takes all of theirs. `docs/care.md` has the same table, and a test compares them.
"""

from collections.abc import Mapping

LOST: Mapping[str, str] = {
    "0008": "which events a guest had who was merged: a list from before the merge is no longer"
    " explained by them",
    "0007": "how many requests a day a key may make: none has such a bound any more",
    "0006": "which guests are which users: later events of a guest are the guest's again, and a"
    " guest is not erased with the user any more",
    "0005": "that people are forgotten, while the older program runs: older events of theirs count"
    " again. The key of receipts and of names in the archive stays, and the notes of who is"
    " forgotten: forward again, erase once more with `clickwise forget --again RECEIPTS`",
    "0004": "API keys of the database; the door that they closed is open to this machine again",
    "0003": "written texts and decisions about them",
    "0002": "what was understood of items (made again)",
    "0001": "which models are in use: day 0 is live again",
}


def lost_between(before: str, after: str) -> list[str]:
    """What going back from schema `before` to `after` takes, the newest step first."""
    return [LOST[one] for one in sorted(LOST, reverse=True) if after <= one < before]
