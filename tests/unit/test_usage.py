"""What a process uses, by its part."""

import shutil

from prometheus_client import REGISTRY

from clickwise.usage import Usage


def value(name, part):
    return REGISTRY.get_sample_value(name, {"part": part})


def burn():
    return sum(number * number for number in range(200_000))


def test_processor_time_is_counted_as_it_is_used(tmp_path):
    usage = Usage("train", tmp_path)
    usage.look()
    before = value("clickwise_cpu_seconds_total", "train")
    assert before > 0

    burn()
    usage.look()

    assert value("clickwise_cpu_seconds_total", "train") > before


def test_memory_and_disk_are_those_of_now(tmp_path):
    Usage("archive", tmp_path).look()

    assert value("clickwise_memory_bytes", "archive") > 10_000_000
    assert value("clickwise_disk_size_bytes", "archive") == shutil.disk_usage(tmp_path).total
    assert 0 < value("clickwise_disk_free_bytes", "archive") <= shutil.disk_usage(tmp_path).total


def test_a_home_that_is_not_made_yet_is_looked_at_later(tmp_path):
    usage = Usage("words", tmp_path / "later")
    usage.look()
    assert value("clickwise_disk_size_bytes", "words") == 0

    (tmp_path / "later").mkdir()
    usage.look()

    assert value("clickwise_disk_size_bytes", "words") > 0
