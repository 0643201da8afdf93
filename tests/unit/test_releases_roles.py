"""What a command makes of the pointer."""

from datetime import timedelta

import pytest

from clickwise.errors import ConflictError, NotFoundError
from clickwise.releases import roles
from clickwise.releases.roles import Published
from clickwise.state.port import NamedRelease, Pointer
from tests.site import NOW

LATER = NOW + timedelta(hours=1)


def pointer(**versions):
    return Pointer(
        5,
        tuple(
            NamedRelease(role, version, f"/{version}", f"sum-{version}", 0.0, 3, NOW)
            for role, version in versions.items()
        ),
    )


def bundle(version):
    return Published(version, f"/{version}", f"sum-{version}")


def shown(named):
    return {one.role: one.version for one in named}


def test_a_promotion_keeps_what_was_live_and_ends_the_candidate():
    named = roles.promoted(pointer(live="a", previous="z", candidate="b"), "b", now=LATER)

    assert shown(named) == {"live": "b", "previous": "a"}
    assert {one.changed for one in named} == {LATER}


def test_a_promotion_ends_the_trials_of_the_same_model_and_no_others():
    named = roles.promoted(pointer(live="a", candidate="b", canary="b", shadow="c"), "b", now=LATER)

    assert shown(named) == {"live": "b", "previous": "a", "shadow": "c"}


def test_a_candidate_that_another_command_replaced_is_not_promoted():
    with pytest.raises(ConflictError, match="candidate no longer"):
        roles.promoted(pointer(live="a", candidate="c"), "b", now=LATER)


def test_a_rollback_exchanges_two_and_leaves_trials_alone():
    named = roles.rolled_back(pointer(live="b", previous="a", shadow="c"), now=LATER)

    assert shown(named) == {"live": "a", "previous": "b", "shadow": "c"}


def test_a_rollback_twice_is_where_it_began():
    once = roles.rolled_back(pointer(live="b", previous="a"), now=LATER)
    twice = roles.rolled_back(Pointer(6, tuple(once)), now=LATER)

    assert shown(twice) == {"live": "b", "previous": "a"}


def test_there_is_nothing_to_roll_back_to_at_first():
    with pytest.raises(NotFoundError):
        roles.rolled_back(pointer(live="a"), now=LATER)


def test_a_candidate_that_gets_a_trial_is_no_candidate_any_more():
    named = roles.with_role(
        pointer(live="a", candidate="b"), "canary", bundle("b"), now=LATER, since=9, share=0.2
    )

    assert shown(named) == {"live": "a", "canary": "b"}
    assert next(one.since for one in named if one.role == "canary") == 3


def test_a_version_in_use_with_other_content_is_refused():
    other = Published("a", "/elsewhere", "another sum")

    with pytest.raises(ConflictError, match="other content"):
        roles.with_role(pointer(live="a"), "candidate", other, now=LATER, since=9)


def test_withdrawing_leaves_what_is_live_and_what_was():
    named = roles.withdrawn(pointer(live="a", previous="z", candidate="b", canary="c", shadow="d"))

    assert shown(named) == {"live": "a", "previous": "z"}


def test_there_has_to_be_something_to_withdraw():
    with pytest.raises(NotFoundError):
        roles.withdrawn(pointer(live="a"))
