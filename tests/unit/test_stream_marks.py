"""A mark is an offset before which nobody waits for a list, whatever happens in which order."""

from hypothesis import given
from hypothesis import strategies as st

from clickwise.types import UserId
from streams.marks import MAX_TURNS, Marks

ANN, BOB = UserId("ann"), UserId("bob")


def begun(*partitions: int) -> Marks:
    marks = Marks()
    for partition in partitions:
        marks.begin(partition, 0)
    marks.now()
    return marks


def changed(marks: Marks, user: UserId, partition: int, following: int) -> None:
    marks.wait(user)
    marks.reached({partition: following})


def published(marks: Marks, *users: UserId) -> None:
    marks.take(users)
    marks.done()


def test_a_mark_stays_before_whoever_waits_and_moves_on_with_the_list() -> None:
    marks = begun(0)
    changed(marks, ANN, 0, 5)
    marks.now()
    changed(marks, BOB, 0, 9)

    assert marks.now() == {0: 0}
    published(marks, ANN)
    assert marks.now() == {0: 5}
    published(marks, BOB)
    assert marks.now() == {0: 9}


def test_nobody_who_waits_lets_what_is_read_be_the_mark() -> None:
    marks = begun(0, 1)

    marks.reached({0: 7, 1: 3})

    assert marks.now() == {0: 7, 1: 3}


def test_a_list_in_the_making_does_not_count_for_what_changes_meanwhile() -> None:
    marks = begun(0)
    changed(marks, ANN, 0, 1)
    marks.now()
    marks.take([ANN])
    changed(marks, ANN, 0, 2)
    marks.now()

    marks.done()

    assert marks.now() == {0: 1}


def test_who_got_no_list_waits_since_before() -> None:
    marks = begun(0)
    changed(marks, ANN, 0, 1)
    marks.now()
    marks.take([ANN])
    changed(marks, ANN, 0, 2)

    marks.put_back(ANN)
    marks.done()

    assert marks.now() == {0: 0}
    published(marks, ANN)
    assert marks.now() == {0: 2}


def test_what_is_read_of_a_partition_that_may_be_another_ones_says_nothing() -> None:
    marks = begun(0)
    marks.reached({0: 5})
    marks.leave([0])

    marks.reached({0: 9, 1: 4})
    assert marks.now() == {0: 5}

    marks.begin(0, 12)
    assert marks.now() == {0: 12}


def test_what_was_heard_of_ends_where_the_partition_was_left() -> None:
    marks = begun(0)
    changed(marks, ANN, 0, 5)
    marks.leave([0])

    marks.reached({0: 9})
    assert (marks.heard(0), marks.heard(1)) == (5, 0)

    marks.begin(0, 12)
    changed(marks, BOB, 0, 14)
    assert marks.heard(0) == 14


def test_what_was_heard_of_is_less_after_a_database_was_put_back() -> None:
    marks = begun(0)
    marks.reached({0: 9})
    marks.leave([0])

    marks.begin(0, 4)

    assert marks.heard(0) == 4


def test_who_waits_for_ever_costs_a_bounded_number_of_turns() -> None:
    marks = begun(0)
    changed(marks, ANN, 0, 1)
    for number in range(3 * MAX_TURNS):
        marks.reached({0: 2 + number})
        marks.now()

    assert len(marks._reached) <= MAX_TURNS
    assert marks.now() == {0: 0}
    published(marks, ANN)
    assert marks.now() == {0: 1 + 3 * MAX_TURNS}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(0, 3)),
        st.tuples(st.just("take"), st.integers(0, 3)),
        st.tuples(st.just("put back"), st.integers(0, 3)),
        st.tuples(st.just("done"), st.just(0)),
        st.tuples(st.just("now"), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_no_mark_is_ever_beyond_a_change_without_a_list(steps: list[tuple[str, int]]) -> None:
    marks = begun(0)
    waiting: dict[UserId, list[int]] = {}
    in_hand: dict[UserId, list[int]] = {}
    for offset, (step, number) in enumerate(steps):
        user = UserId(f"u{number}")
        if step == "change":
            changed(marks, user, 0, offset + 1)
            waiting.setdefault(user, []).append(offset)
        elif step == "take" and user in waiting:
            marks.take([user])
            in_hand.setdefault(user, []).extend(waiting.pop(user))
        elif step == "put back" and user in in_hand:
            marks.put_back(user)
            waiting.setdefault(user, []).extend(in_hand.pop(user))
        elif step == "done":
            marks.done()
            in_hand.clear()

        told = marks.now().get(0, 0) if step == "now" else marks._marks.get(0, 0)
        due = [one for some in (*waiting.values(), *in_hand.values()) for one in some]
        assert told <= min(due, default=offset + 1)
    published(marks, *waiting)
    marks.now()
    assert marks.now().get(0, 0) == max(
        (n + 1 for n, (step, _) in enumerate(steps) if step == "change"), default=0
    )
