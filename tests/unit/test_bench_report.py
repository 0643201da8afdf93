import json

import msgspec
import numpy as np
import pytest
import typer

from clickwise.bench.app import numbers
from clickwise.bench.loads import Measured
from clickwise.bench.memory import memory
from clickwise.bench.report import percentiles, shown, shown_bytes, write_json


class Report(msgspec.Struct):
    runs: list[int]


def test_percentiles_are_latencies_that_occurred():
    seconds = [0.001 * n for n in range(1, 101)]

    found = percentiles(seconds)

    assert (found.p50, found.p90, found.p99, found.max) == (0.05, 0.09, 0.099, 0.1)
    assert found.num_samples == 100


def test_one_slow_request_in_a_hundred_shows_in_the_maximum_and_not_in_p99():
    found = percentiles([0.001] * 99 + [5.0])

    assert found.p99 == 0.001
    assert found.max == 5.0


def test_no_sample_has_no_percentiles():
    with pytest.raises(ValueError, match="no sample"):
        percentiles([])


def test_figures_replace_the_file_whole(tmp_path):
    path = tmp_path / "new" / "out.json"

    write_json(path, Report([1]))
    write_json(path, Report([2, 3]))

    assert json.loads(path.read_text()) == {"runs": [2, 3]}
    assert [found.name for found in path.parent.iterdir()] == ["out.json"]


def test_a_report_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.json"
    write_json(path, Report([1]))

    with pytest.raises(TypeError):
        write_json(path, Report([object()]))

    assert json.loads(path.read_text()) == {"runs": [1]}
    assert [found.name for found in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.000_25, "250 us"), (0.0123, "12.30 ms"), (2.0, "2.00 s")]
)
def test_a_duration_has_a_unit_that_suits_it(seconds, text):
    assert shown(seconds) == text


def test_bytes_have_a_unit_that_suits_them():
    assert [shown_bytes(n) for n in (12, 4_096, 3 << 20, 5 << 30)] == [
        "12 B", "4 KiB", "3 MiB", "5.00 GiB",
    ]  # fmt: skip


def test_numbers_are_read_from_a_list_with_commas():
    assert numbers("1,8, 32") == [1, 8, 32]


@pytest.mark.parametrize("text", ["", "0", "1,,2", "-1", "1.5", "many"])
def test_what_is_no_list_of_numbers_is_refused(text):
    with pytest.raises(typer.BadParameter):
        numbers(text)


def test_memory_tells_mapped_files_from_ones_own():
    rollup = (
        "5581b1-7ffc ---p 00000000 00:00 0 [rollup]\n"
        "Rss:    1000 kB\nPss:     700 kB\nShared_Clean:  200 kB\nShared_Dirty:  50 kB\n"
        "Private_Clean:  150 kB\nPrivate_Dirty:  600 kB\nAnonymous:  620 kB\n"
    )

    found = memory(rollup)

    assert (found.resident, found.anonymous) == (1000 << 10, 620 << 10)
    assert found.mapped_files == 380 << 10
    assert (found.private, found.shared) == (750 << 10, 250 << 10)


def test_a_request_counts_in_every_window_in_which_it_waited():
    measured = Measured(
        ends_N=np.array([1.0, 2.0, 9.0]),
        latencies_N=np.array([0.1, 0.2, 6.0]),
        window_seconds=9.0,
        without_note=0,
        cpu_seconds=0.0,
    )

    assert measured.between(0.0, 1.5).tolist() == [0.1]
    assert measured.between(4.0, 5.0).tolist() == [6.0]
    assert measured.between(0.0, 10.0).tolist() == [0.1, 0.2, 6.0]
