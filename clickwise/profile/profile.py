"""A user's current interest, and its binary form.

Shape suffixes: K = interests, D = embedding dimension, M = memory of a learned model.
"""

import math
import struct
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from clickwise.errors import BundleError
from clickwise.profile import window
from clickwise.profile.rules import Rules
from clickwise.types import ModelVersion
from clickwise.vectors.port import Float32Array

FORMAT = 3
_READABLE = (2, 3)  # 2: before learned models, without a memory
MICROSECONDS = 1_000_000
OLDER_BYTES = 4_096
_OLDER_HASHES = 5
_RECEIVED = struct.Struct("<d")
RECEIVED_BYTES = _RECEIVED.size


@dataclass(slots=True)
class Profile:
    """A user's interest.

    `interests_KD` holds decayed sums of item vectors, not unit vectors; `masses_K` the decayed
    weights in them (0: free slot). `aversion_D` sums what was disliked. `topic_weights` are u,
    positive or negative, by topic code. `history` holds the events of the window in order;
    `older` is a Bloom filter of items from before it (empty until the window first moves).
    `memory_M` is what a learned model keeps of the same events (no numbers under day 0).

    Decay is *forward* (Cormode et al., 2009): a weight enters multiplied by
    2 ** ((event time - landmark) / half-life), and nothing has to be touched afterwards; `scale`
    turns stored sums into weights as of a moment. Arrays may be read-only; `fold` copies.
    """

    model: ModelVersion
    interests_KD: Float32Array
    masses_K: Float32Array
    aversion_D: Float32Array
    aversion_mass: float
    topic_weights: dict[int, float]
    landmark: int  # microseconds since 1970; 0: nothing folded yet
    time: int  # microseconds since 1970, of the newest event folded
    events_applied: int
    truncated: bool  # events before the window have been dropped
    history: window.History
    older: bytes
    memory_M: Float32Array

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.aversion_D.shape[0])

    def for_model(
        self, model: ModelVersion, *, dimension: int, rules: Rules, memory: int = 0
    ) -> "Profile":
        """The same history with nothing folded yet: what another model starts from."""
        return replace(
            empty_profile(model, dimension=dimension, rules=rules, memory=memory),
            events_applied=self.events_applied,
            truncated=self.truncated,
            history=self.history,
            older=self.older,
        )

    def replica(self) -> "Profile":
        """A shallow copy (copy.copy takes five times as long on a slotted class)."""
        return Profile(
            self.model,
            self.interests_KD,
            self.masses_K,
            self.aversion_D,
            self.aversion_mass,
            self.topic_weights,
            self.landmark,
            self.time,
            self.events_applied,
            self.truncated,
            self.history,
            self.older,
            self.memory_M,
        )

    def scale(self, now: float, rules: Rules) -> float:
        """Factor from stored sums to weights as of `now` (seconds since 1970)."""
        if not self.landmark:
            return 1.0
        elapsed = now - self.landmark / MICROSECONDS
        return float(0.5 ** max(-1000.0, min(1000.0, elapsed / rules.half_life_seconds)))


def empty_profile(model: ModelVersion, *, dimension: int, rules: Rules, memory: int = 0) -> Profile:
    """The profile of a user with no events; `memory` is M of the model's recurrence."""
    return Profile(
        model=model,
        interests_KD=np.zeros((rules.interests, dimension), np.float32),
        masses_K=np.zeros(rules.interests, np.float32),
        aversion_D=np.zeros(dimension, np.float32),
        aversion_mass=0.0,
        topic_weights={},
        landmark=0,
        time=0,
        events_applied=0,
        truncated=False,
        history=window.empty(),
        older=b"",
        memory_M=np.zeros(memory, np.float32),
    )


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    format: int
    model: str
    shape: tuple[int, int]
    interests: bytes
    masses: bytes
    aversion: bytes
    aversion_mass: float
    topics: dict[int, float]
    landmark: int
    time: int
    events_applied: int
    truncated: bool
    history: bytes
    older: bytes
    memory: bytes = b""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)


def to_bytes(profile: Profile) -> bytes:
    """Binary form; equal profiles give equal bytes."""
    return _encoder.encode(
        _Packed(
            format=FORMAT,
            model=profile.model,
            shape=(profile.interests_KD.shape[0], profile.interests_KD.shape[1]),
            interests=profile.interests_KD[profile.masses_K > 0.0].tobytes(),
            masses=profile.masses_K.tobytes(),
            aversion=profile.aversion_D.tobytes() if profile.aversion_mass else b"",
            aversion_mass=profile.aversion_mass,
            topics=profile.topic_weights,
            landmark=profile.landmark,
            time=profile.time,
            events_applied=profile.events_applied,
            truncated=profile.truncated,
            history=profile.history.tobytes(),
            older=profile.older,
            memory=profile.memory_M.tobytes(),
        )
    )


def from_bytes(data: bytes) -> Profile:
    """The profile in `data`; its arrays are read-only views of it.

    Raises:
        BundleError: damaged, or of a format that this program does not know.
    """
    try:
        packed = _decoder.decode(data)
        if packed.format in _READABLE:
            return _unpacked(packed)
    except (msgspec.DecodeError, ValueError) as error:
        raise BundleError("stored profile is damaged") from error
    raise BundleError(f"stored profile has format {packed.format}, expected {FORMAT}")


def _unpacked(packed: _Packed) -> Profile:
    masses_K = np.frombuffer(packed.masses, np.float32)
    alive_K = masses_K > 0.0
    kept_KD = np.frombuffer(packed.interests, np.float32).reshape(-1, packed.shape[1])
    if len(kept_KD) < packed.shape[0]:  # free slots are not stored
        interests_KD = np.zeros(packed.shape, np.float32)
        interests_KD[alive_K] = kept_KD
    else:
        interests_KD = kept_KD
    return Profile(
        model=ModelVersion(packed.model),
        interests_KD=interests_KD,
        masses_K=masses_K,
        aversion_D=np.frombuffer(packed.aversion, np.float32)
        if packed.aversion
        else np.zeros(packed.shape[1], np.float32),
        aversion_mass=packed.aversion_mass,
        topic_weights=packed.topics,
        landmark=packed.landmark,
        time=packed.time,
        events_applied=packed.events_applied,
        truncated=packed.truncated,
        history=np.frombuffer(packed.history, window.ENTRY),
        older=packed.older,
        memory_M=np.frombuffer(packed.memory, np.float32),
    )


def stored_body(profile: Profile, *, received: float) -> bytes:
    """What the state keeps: when the newest event was received (seconds), then the profile.

    The time of receipt is not part of the profile: it depends on when, not on what.
    """
    return _RECEIVED.pack(received) + to_bytes(profile)


def profile_bytes(body: bytes) -> bytes:
    """The profile's own bytes in a stored body: equal for equal histories."""
    return body[_RECEIVED.size :]


def from_stored(body: bytes) -> tuple[Profile, float]:
    """Profile and time of receipt (seconds since 1970) of its newest event; see from_bytes."""
    if len(body) < _RECEIVED.size:
        raise BundleError("stored profile is damaged")
    (received,) = _RECEIVED.unpack_from(body)
    return from_bytes(profile_bytes(body)), received


def received_in(body: bytes) -> float:
    """The time of receipt (see `stored_body`) in the first RECEIVED_BYTES of a stored body; now
    or later, as it were, in one that is damaged.
    """
    return float(_RECEIVED.unpack_from(body)[0]) if len(body) >= RECEIVED_BYTES else math.inf


def with_older(older: bytes, items: window.History) -> bytes:
    """The Bloom filter `older` with these events' items in it (Bloom, 1970).

    32 Kbit and 5 hashes: 0.1 % of unseen items are taken for seen at 2,000, 4 % at 5,000, 17 %
    at 8,000 and 78 % at 20,000 items; never the other way round.
    """
    bits = np.frombuffer(older or bytes(OLDER_BYTES), np.uint8).copy()
    positions = _positions(items["item"].astype(np.uint64))
    np.bitwise_or.at(bits, positions >> 3, (1 << (positions & 7)).astype(np.uint8))
    return bits.tobytes()


def in_older(
    older: bytes, keys_N: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of `keys_N` are in the filter."""
    if not older:
        return np.zeros(len(keys_N), np.bool_)
    bits = np.frombuffer(older, np.uint8)
    positions = _positions(keys_N.astype(np.uint64))
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        ((bits[positions >> 3] >> (positions & 7)) & 1).astype(np.bool_).all(axis=1)
    )
    return found


def _positions(
    keys_N: np.ndarray[tuple[int], np.dtype[np.uint64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Bit positions (N, hashes): double hashing of the key's two halves (Kirsch, 2006)."""
    low = (keys_N & np.uint64(0xFFFFFFFF)).astype(np.int64)
    high = (keys_N >> np.uint64(32)).astype(np.int64) | 1
    steps = np.arange(_OLDER_HASHES, dtype=np.int64)
    return (low[:, None] + steps * high[:, None]) % (OLDER_BYTES * 8)
