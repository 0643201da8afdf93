"""What becomes of the pointer when somebody promotes, tries or takes back a model. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from clickwise.errors import ConflictError, NotFoundError
from clickwise.state.port import NamedRelease, Pointer, Role
from clickwise.types import ModelVersion

TRIALS: tuple[Role, ...] = ("candidate", "canary", "shadow")


@dataclass(frozen=True, slots=True)
class Published:
    """A bundle where others find it. See NamedRelease."""

    version: ModelVersion
    url: str
    checksum: str
    encoder: str = ""


def with_role(
    pointer: Pointer,
    role: Role,
    bundle: Published,
    *,
    now: datetime,
    since: int,
    share: float = 0.0,
) -> list[NamedRelease]:
    """The pointer with `role` naming `bundle`; the candidate is one no longer where it got a trial.

    Raises:
        ConflictError: the version is named already, of a bundle with other content.
    """
    known = next((one for one in pointer.named if one.version == bundle.version), None)
    if known is not None and known.checksum != bundle.checksum:
        raise ConflictError(
            f"{bundle.version} is in use with other content: give the new bundle another version"
        )
    named = NamedRelease(
        role=role,
        version=bundle.version,
        url=bundle.url,
        checksum=bundle.checksum,
        share=share,
        since=known.since if known is not None else since,
        changed=now,
        encoder=bundle.encoder,
    )
    rest = [one for one in pointer.named if one.role != role]
    if role in ("canary", "shadow"):
        rest = [
            one for one in rest if (one.role, one.version) != ("candidate", bundle.version)
        ]  # fmt: skip
    return [*rest, named]


def promoted(pointer: Pointer, version: ModelVersion, *, now: datetime) -> list[NamedRelease]:
    """The candidate live, what was live the previous one, trials of the same version ended.

    Raises:
        ConflictError: another version is the candidate by now, or none.
    """
    candidate, live = pointer.role("candidate"), pointer.role("live")
    if candidate is None or candidate.version != version:
        raise ConflictError(f"{version} is the candidate no longer: another command took its place")
    kept = [
        one
        for one in pointer.named
        if one.role in ("canary", "shadow") and one.version != version
    ]  # fmt: skip
    if live is not None and live.version == version:
        previous = pointer.role("previous")
        return [live, *([previous] if previous is not None else []), *kept]
    before = [] if live is None else [replace(live, role="previous", changed=now)]
    return [replace(candidate, role="live", changed=now), *before, *kept]


def rolled_back(pointer: Pointer, *, now: datetime) -> list[NamedRelease]:
    """The previous model live again, and the live one the previous one. Trials go on.

    Raises:
        NotFoundError: there is none to go back to.
    """
    live, previous = pointer.role("live"), pointer.role("previous")
    if live is None or previous is None:
        raise NotFoundError("there is no previous model to go back to: nothing was promoted yet")
    rest = [one for one in pointer.named if one.role not in ("live", "previous")]
    return [
        replace(previous, role="live", changed=now),
        replace(live, role="previous", changed=now),
        *(one for one in rest if one.version != previous.version),
    ]


def withdrawn(pointer: Pointer) -> list[NamedRelease]:
    """Nothing tried and nothing to come.

    Raises:
        NotFoundError: so it is already.
    """
    kept = [one for one in pointer.named if one.role not in TRIALS]
    if len(kept) == len(pointer.named):
        raise NotFoundError("no model is a candidate, a canary or a shadow")
    return kept
