"""What is refused before anything starts: see also `tests/e2e/test_up.py`."""

import pytest

from clickwise.cli.refusals import refuse, topics
from clickwise.errors import BundleError
from clickwise.settings import Settings
from clickwise.understanding.classifier import CARD, WEIGHTS


def test_a_damaged_classifier_of_the_encoder_is_refused(tmp_path):
    (tmp_path / CARD).write_text("{}")
    (tmp_path / WEIGHTS).write_bytes(b"")

    with pytest.raises(BundleError, match="classifier"):
        refuse(Settings(home=str(tmp_path / "home"), encoder_model=str(tmp_path)))


def test_what_nobody_set_is_not_refused_and_said_to_be_not_set(tmp_path):
    settings = Settings(home=str(tmp_path / "home"))

    refuse(settings)

    assert "not set" in topics(settings)
