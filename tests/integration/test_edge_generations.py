"""Edge's generations on a real disk: built, swapped, killed, damaged, shared."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from clickwise.errors import BundleError, ConfigurationError, ConflictError
from clickwise.items import Item
from clickwise.state.sql import open_state
from clickwise.testing.index import ExactIndex
from clickwise.testing.vectors import an_item, changes_of, clustered_items, queries_near
from clickwise.types import ItemId, ItemKind, ModelVersion, item_key
from clickwise.vectors import Removed, Where
from clickwise.vectors.builder import Space, Wanted, build_generation, build_loop, stored_changes
from clickwise.vectors.edge import EdgeIndex
from clickwise.vectors.generations import Generations, live_model, make_live, stored_models
from clickwise.vectors.rows import item_write

MODEL = ModelVersion("m-1")
DIMENSION = 16
SHOWN = Where(now=0.0)
DEADLINE_SECONDS = 60.0


def built(root, numbered):
    return build_generation(root, MODEL, DIMENSION, changes_of(numbered))


def opened(root):
    return EdgeIndex.open(root, MODEL, DIMENSION, check_interval_seconds=0.0)


def assert_same(index, items):
    """The index holds exactly `items`, finds each, and finds nothing else."""
    exact = ExactIndex(model=MODEL, dimension=DIMENSION)
    exact.apply(items)
    wanted = [item.key for item in items]
    assert index.count() == len(items)
    ours, theirs = index.lookup(wanted), exact.lookup(wanted)
    for name in ("keys_N", "vectors_ND", "kinds_N", "topics_NT", "published_N", "hidden_N"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert index.labels(wanted) == exact.labels(wanted)
    [hits] = index.search(queries_near(items, 1), limit=len(items) + 10, where=SHOWN)
    assert set(hits.keys_N.tolist()) == set(wanted)


def until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def litter(root):
    return [path.name for path in Generations(root, MODEL).folder.glob("tmp-*")]


def test_a_generation_holds_what_was_built_and_the_next_one_only_adds_the_changes(tmp_path):
    items = clustered_items(2_000, DIMENSION)
    newer = [an_item(item.id, -item.vector_D, title="newer") for item in items[:100]]

    first = built(tmp_path, enumerate(items[:1_500], 1))
    changes = [*items[1_500:], *newer, *(Removed(item.key) for item in items[100:200])]
    second = built(tmp_path, enumerate(changes, 1_501))

    assert (first.number, first.count, first.covered) == (1, 1_500, 1_500)
    assert (second.number, second.count, second.covered) == (2, 1_900, 2_200)
    index = opened(tmp_path)
    assert (index.generation, index.delta_size, index.covered) == (2, 0, 2_200)
    assert_same(index, [*items[200:], *newer])
    index.close()


def test_nothing_is_built_when_nothing_changed(tmp_path):
    numbered = list(enumerate(clustered_items(20, DIMENSION), 1))

    assert built(tmp_path, []) is None
    assert built(tmp_path, numbered).number == 1
    assert built(tmp_path, numbered) is None
    assert Generations(tmp_path, MODEL).numbers() == [1]


def test_building_leaves_the_present_generation_byte_for_byte(tmp_path):
    items = clustered_items(3_000, DIMENSION)
    built(tmp_path, enumerate(items, 1))
    generations = Generations(tmp_path, MODEL)
    index = opened(tmp_path)

    changed = [an_item(item.id, item.vector_D, kind=4) for item in items[:500]]
    changes = [*changed, *(Removed(item.key) for item in items[500:900])]
    built(tmp_path, enumerate(changes, 3_001))
    index.search(queries_near(items, 3), limit=50, where=SHOWN)
    index.close()

    generations.verify(generations.manifest(1))
    generations.verify(generations.manifest(2))


def test_every_item_can_be_removed(tmp_path):
    items = clustered_items(30, DIMENSION)
    built(tmp_path, enumerate(items, 1))
    index = opened(tmp_path)

    built(tmp_path, enumerate([Removed(item.key) for item in items], 31))

    assert index.refresh()
    assert (index.generation, index.count(), index.covered) == (2, 0, 60)
    assert len(index.search(queries_near(items, 1), limit=5, where=SHOWN)[0].keys_N) == 0
    assert index.newest(5, now=0.0).tolist() == []
    built(tmp_path, enumerate(items, 61))
    assert index.refresh()
    assert_same(index, items)
    index.close()


def test_a_swap_drops_what_the_generation_covers_and_keeps_the_rest(tmp_path):
    items = clustered_items(300, DIMENSION)
    index = opened(tmp_path)
    index.apply(items[:100], through=100)
    index.apply([*items[100:150], Removed(items[0].key)], through=151)
    assert (index.covered, index.delta_size, index.generation) == (151, 150, 0)

    built(tmp_path, enumerate(items[:100], 1))

    assert index.refresh()
    assert (index.generation, index.covered, index.delta_size) == (1, 151, 51)
    assert_same(index, items[1:150])
    assert not index.refresh()
    index.close()


def test_changes_that_the_generation_covers_already_have_no_effect(tmp_path):
    old, new = an_item("a", np.eye(DIMENSION)[0], title="old"), an_item("a", np.eye(DIMENSION)[1])
    built(tmp_path, [(1, old), (2, new)])
    index = opened(tmp_path)

    index.apply([old], through=1)

    assert_same(index, [new])
    assert (index.delta_size, index.covered) == (0, 2)
    index.close()


def test_changes_without_a_number_outlive_a_swap(tmp_path):
    items = clustered_items(20, DIMENSION)
    index = opened(tmp_path)
    index.apply(items[:5])

    built(tmp_path, enumerate(items[5:], 1))

    assert index.refresh()
    assert_same(index, items)
    index.close()


def test_readers_search_and_apply_while_generations_change_under_them(tmp_path):
    items = clustered_items(1_200, DIMENSION)
    index, other = opened(tmp_path), opened(tmp_path)
    applied = 0
    for step in range(1, 7):
        through = 200 * step
        for reader in (index, other):
            reader.apply(items[applied:through], through=through)
        applied = through
        builder = threading.Thread(
            target=built, args=(tmp_path, list(enumerate(items[:applied], 1)))
        )
        builder.start()
        while builder.is_alive():
            for reader in (index, other):
                reader.refresh()
                newest = items[applied - 1]
                [hits] = reader.search(newest.vector_D[None, :], limit=1, where=SHOWN)
                assert hits.keys_N.tolist() == [newest.key]
                assert reader.count() == applied
        builder.join()
    index.refresh()
    other.refresh()

    assert (index.generation, index.delta_size) == (6, 0)
    assert (other.generation, other.delta_size) == (6, 0)
    assert_same(index, items)
    assert_same(other, items)
    assert Generations(tmp_path, MODEL).numbers() == [6, 5]
    index.close()
    assert_same(other, items)
    other.close()


def test_readers_take_turns_to_swap(tmp_path):
    index = opened(tmp_path)
    built(tmp_path, enumerate(clustered_items(20, DIMENSION), 1))

    with Generations(tmp_path, MODEL).swapping() as mine:
        assert mine
        assert not index.refresh()

    assert index.refresh()
    index.close()


def test_a_second_builder_is_refused(tmp_path):
    with Generations(tmp_path, MODEL).building(), pytest.raises(ConflictError, match="building"):
        built(tmp_path, enumerate(clustered_items(20, DIMENSION), 1))


def test_another_dimension_is_a_configuration_error(tmp_path):
    built(tmp_path, enumerate(clustered_items(20, DIMENSION), 1))

    with pytest.raises(ConfigurationError, match="16 numbers, not 8"):
        EdgeIndex.open(tmp_path, MODEL, 8)
    with pytest.raises(ConfigurationError, match="16 numbers, not 8"):
        build_generation(tmp_path, MODEL, 8, changes_of([]))
    with pytest.raises(ConfigurationError, match="expected a finite vector of 16 numbers"):
        built(tmp_path, enumerate(clustered_items(20, 8), 21))


def _truncate(folder):
    matrix = next(folder.glob("shard/segments/*/vector_storage-item/matrix.dat"))
    os.truncate(matrix, matrix.stat().st_size // 2)


def _flip(folder):
    vectors = folder / "columns" / "vectors.npy"
    data = bytearray(vectors.read_bytes())
    data[len(data) // 2] ^= 1
    vectors.write_bytes(data)


def _lose_manifest(folder):
    (folder / "manifest.json").unlink()


def _lose_columns(folder):
    (folder / "columns" / "keys.npy").unlink()


def _garble_pointer(folder):
    (folder.parent / "CURRENT").write_text("gen-?")


@pytest.mark.parametrize(
    "damage", [_truncate, _flip, _lose_manifest, _lose_columns, _garble_pointer]
)
def test_a_damaged_generation_is_rebuilt_and_nothing_is_missing_meanwhile(tmp_path, damage):
    items = clustered_items(3_000, DIMENSION)
    numbered = list(enumerate(items, 1))
    built(tmp_path, numbered[:2_000])
    generations = Generations(tmp_path, MODEL)
    damage(generations.path(1))

    index = opened(tmp_path)
    missing = numbered[index.covered :]
    index.apply([item for _, item in missing], through=3_000)
    if damage is not _flip:  # only the builder reads every byte
        assert_same(index, items)
    result = built(tmp_path, numbered)

    assert index.refresh()
    assert (result.number, index.generation, index.covered) == (2, 2, 3_000)
    assert_same(index, items)
    index.close()


def test_an_older_generation_serves_while_the_live_one_is_damaged(tmp_path):
    items = clustered_items(200, DIMENSION)
    numbered = list(enumerate(items, 1))
    built(tmp_path, numbered[:100])
    built(tmp_path, numbered)
    _lose_manifest(Generations(tmp_path, MODEL).path(2))

    index = opened(tmp_path)
    assert (index.generation, index.covered) == (1, 100)
    healed = built(tmp_path, numbered)

    assert (healed.number, healed.changed, healed.count) == (3, 100, 200)
    assert index.refresh()
    assert_same(index, items)
    index.close()


BUILDER = """
import sys
from pathlib import Path
from clickwise.testing.vectors import changes_of, clustered_items
from clickwise.types import ModelVersion
from clickwise.vectors.builder import build_generation

numbered = list(enumerate(clustered_items(4_000, 16), 1))
print("ready", flush=True)
for upto in range(int(sys.argv[2]), 4_000, 37):
    build_generation(Path(sys.argv[1]), ModelVersion("m-1"), 16, changes_of(numbered[:upto]))
"""


def started_builder(root, upto):
    """A process that builds generation after generation, past its imports."""
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(root), str(upto)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert builder.stdout.readline() == b"ready\n"
    return builder


@pytest.mark.parametrize("seed", range(4))
def test_a_builder_killed_at_any_moment_leaves_a_sound_generation(tmp_path, seed):
    rng = random.Random(seed)
    items = clustered_items(4_000, DIMENSION)
    numbered = list(enumerate(items, 1))
    covered = 0
    for _ in range(3):
        with started_builder(tmp_path, covered + 500) as builder:
            time.sleep(rng.uniform(0.0, 1.2))  # the moment of death is what is tested
            builder.send_signal(signal.SIGKILL)

        index = opened(tmp_path)
        assert index.covered >= covered
        covered = index.covered
        if covered:
            assert_same(index, items[:covered])
        index.apply(items[covered:], through=4_000)
        assert_same(index, items)
        index.close()

    assert built(tmp_path, numbered).covered == 4_000
    index = opened(tmp_path)
    assert_same(index, items)
    index.close()
    assert litter(tmp_path) == []
    assert len(Generations(tmp_path, MODEL).numbers()) <= 2


def test_a_reader_retries_when_the_generation_that_it_opens_is_removed(tmp_path):
    items = clustered_items(4_000, DIMENSION)
    built(tmp_path, enumerate(items[:3_600], 1))
    index = opened(tmp_path)

    with started_builder(tmp_path, 3_700) as builder:
        while builder.poll() is None:
            index.refresh()
            fresh = opened(tmp_path)
            assert fresh.generation > 0
            fresh.close()
    index.refresh()

    assert index.generation == Generations(tmp_path, MODEL).current() > 1
    assert_same(index, items[: index.covered])
    index.close()


def stored(state, items):
    with state.write() as write:
        return write.put_items([item_write(item, vector, MODEL) for item, vector in items])


def an_entry(number):
    vector = np.zeros(DIMENSION, np.float32)
    vector[number % DIMENSION] = 1.0
    item = Item(id=ItemId(f"e{number}"), kind=ItemKind.NEWS, title=f"entry {number}")
    return item, vector


@pytest.fixture
def state(tmp_path):
    state = open_state(f"sqlite:///{tmp_path / 'state.sqlite'}", timeout_seconds=10.0, pool_size=2)
    state.migrate()
    yield state
    state.close()


def test_the_loop_builds_after_enough_changes_or_enough_time(tmp_path, state):
    stop = threading.Event()
    space = Space(MODEL, DIMENSION, stored_changes(state, MODEL), at_once=False)
    loop = threading.Thread(
        target=build_loop,
        args=(state, tmp_path, lambda: Wanted([space], frozenset({space.name}))),
        kwargs={"build_after": 10, "build_interval_seconds": 0.2, "stop": stop},
    )
    generations = Generations(tmp_path, MODEL)

    loop.start()
    stored(state, [an_entry(number) for number in range(20)])
    until(lambda: generations.current() is not None)
    index = opened(tmp_path)
    stored(state, [an_entry(20)])
    until(lambda: index.refresh() or index.count() == 21)
    with generations.building():
        stored(state, [an_entry(21)])
    until(lambda: index.refresh() or index.count() == 22)
    stop.set()
    loop.join(DEADLINE_SECONDS)

    assert not loop.is_alive()
    assert index.covered == state.newest_change()
    assert index.labels([item_key("e21")]) == {item_key("e21"): ("e21", "entry 21")}
    index.close()


def test_an_index_that_is_waited_for_is_built_at_once_and_an_unused_one_removed(tmp_path, state):
    built(tmp_path, enumerate(clustered_items(20, DIMENSION), 1))
    stored(state, [an_entry(number) for number in range(3)])
    stop, other = threading.Event(), ModelVersion("m-next")
    space = Space(other, DIMENSION, stored_changes(state, MODEL), at_once=True)
    loop = threading.Thread(
        target=build_loop,
        args=(state, tmp_path, lambda: Wanted([space], frozenset({space.name}))),
        kwargs={"build_after": 1_000, "build_interval_seconds": 3_600.0, "stop": stop},
    )

    loop.start()
    until(lambda: stored_models(tmp_path) == [other])
    until(lambda: Generations(tmp_path, other).current() is not None)
    stop.set()
    loop.join(DEADLINE_SECONDS)

    assert not loop.is_alive()
    assert EdgeIndex.open(tmp_path, other, DIMENSION).count() == 3


def test_a_model_that_cannot_be_read_does_not_keep_the_others_waiting(tmp_path, state):
    def damaged(after):
        raise BundleError(f"the tower cannot be run after {after}")

    stored(state, [an_entry(1)])
    stop, broken = threading.Event(), ModelVersion("m-broken")
    spaces = [
        Space(broken, DIMENSION, damaged, at_once=True),
        Space(MODEL, DIMENSION, stored_changes(state, MODEL), at_once=True),
    ]
    loop = threading.Thread(
        target=build_loop,
        args=(state, tmp_path, lambda: Wanted(spaces, frozenset({broken, MODEL}))),
        kwargs={"build_after": 1_000, "build_interval_seconds": 3_600.0, "stop": stop},
    )

    loop.start()
    until(lambda: Generations(tmp_path, MODEL).current() is not None)
    stop.set()
    loop.join(DEADLINE_SECONDS)

    assert not loop.is_alive()


@pytest.mark.parametrize("kept", [None, frozenset({MODEL, ModelVersion("m-later")})])
def test_what_cannot_be_built_yet_is_not_removed(tmp_path, state, kept):
    """Neither where it is not told (a bundle cannot be had), nor where its items are encoded."""
    later = ModelVersion("m-later")
    stored(state, [an_entry(1)])
    build_generation(tmp_path, later, DIMENSION, stored_changes(state, MODEL))
    stop = threading.Event()
    space = Space(MODEL, DIMENSION, stored_changes(state, MODEL), at_once=True)
    loop = threading.Thread(
        target=build_loop,
        args=(state, tmp_path, lambda: Wanted([space], kept)),
        kwargs={"build_after": 1_000, "build_interval_seconds": 3_600.0, "stop": stop},
    )

    loop.start()
    until(lambda: Generations(tmp_path, MODEL).current() is not None)
    stop.set()
    loop.join(DEADLINE_SECONDS)

    assert set(stored_models(tmp_path)) == {later, MODEL}


def test_stored_items_of_another_model_are_not_in_the_index(tmp_path, state):
    stored(state, [an_entry(1), an_entry(2)])
    other, vector = an_entry(3)
    with state.write() as write:
        write.put_items([item_write(other, vector, ModelVersion("m-0"))])

    result = build_generation(tmp_path, MODEL, DIMENSION, stored_changes(state, MODEL))

    assert (result.count, result.covered) == (2, state.newest_change())


def test_the_alias_names_the_live_model(tmp_path):
    assert live_model(tmp_path) is None
    assert stored_models(tmp_path) == []

    odd = ModelVersion("../e5/small 2")
    built(tmp_path, enumerate(clustered_items(20, DIMENSION), 1))
    build_generation(tmp_path, odd, 8, changes_of(enumerate(clustered_items(5, 8), 1)))
    make_live(tmp_path, MODEL)
    make_live(tmp_path, odd)

    assert live_model(tmp_path) == odd
    assert set(stored_models(tmp_path)) == {MODEL, odd}
