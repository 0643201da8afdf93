"""What must outlive a process: a port (`port`) and its SQL implementation (`sql.open_state`)."""

from clickwise.state.port import (
    DeadLetter,
    EventRow,
    ItemRow,
    ItemWrite,
    Partition,
    ProfileWrite,
    State,
    StoredActivity,
    StoredProfile,
    Write,
)

__all__ = [
    "DeadLetter",
    "EventRow",
    "ItemRow",
    "ItemWrite",
    "Partition",
    "ProfileWrite",
    "State",
    "StoredActivity",
    "StoredProfile",
    "Write",
]
