"""What a training reads where text encoders change: each item's vector is of the live model's."""

import json
from dataclasses import replace

import numpy as np
import pytest

from clickwise.bundle import day0_bundle
from clickwise.cli import releasing, run
from clickwise.cli.training import TrainCommand
from clickwise.cli.training_data import live_model, read_with, source_of
from clickwise.cli.wiring import encoder_of
from clickwise.errors import BundleError
from clickwise.profile import Rules
from clickwise.settings import load
from clickwise.testing.encoder import HashingEncoder
from tests.integration.test_train_command import write_site
from training.distributed import ALONE

OLD, NEW = 16, 24  # dimensions of the encoders
RULES = Rules(interests=2)  # another model than day 0 of either


@pytest.fixture
def home(tmp_path):
    """A site of the old encoder, with events."""
    folder = tmp_path / "home"
    imported(folder, write_site(tmp_path / "site.jsonl", users=4, items=6, events=3), OLD)
    return folder


def settings_of(home, dimension):
    return load({}, home=str(home), encoder_model=f"hashing:{dimension}", log_level="warning")


def imported(home, file, dimension):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CLICKWISE_ENCODER_MODEL", f"hashing:{dimension}")
        assert run(["import", "--time", "shift-to-now", str(file), "--home", str(home)]) == 0


def promoted(home, dimension, *, encoder=""):
    """A model of this encoder live, on a site whose setting is the old one."""
    folder = home.parent / "made"
    made = day0_bundle(
        folder, encoder_version=f"hashing-{dimension}", dimension=dimension, rules=RULES
    )
    releasing.promote(settings_of(home, OLD), folder / made.version, encoder=encoder)


def read(home, dimension):
    """The items of a training under the setting of this dimension."""
    settings = settings_of(home, dimension)
    folder = settings.folder / "training"
    return source_of(settings, TrainCommand(), folder, ALONE, lambda _what, _share: None).data.items


def put(home, dimension, *ids):
    """Items written under the setting of this dimension."""
    file = home.parent / f"more-{dimension}.jsonl"
    rows = [{"id": name, "kind": "news", "title": f"anew {name}"} for name in ids]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    imported(home, file, dimension)


@pytest.mark.parametrize(
    "written", [(), ("item-1",), ("item-1", "item-new")], ids=["none", "one", "one and a new one"]
)
def test_items_are_read_with_the_live_models_encoder_once_the_setting_names_it(home, written):
    promoted(home, NEW, encoder=f"hashing:{NEW}")
    if written:
        put(home, NEW, *written)

    items = read(home, NEW)

    assert set(written) <= set(items.ids)
    assert items.text_model == f"hashing-{NEW}"
    assert np.array_equal(items.text_ID, HashingEncoder(dimension=NEW).encode(items.texts))


def test_items_are_read_with_the_live_models_encoder_while_the_setting_names_another(home):
    promoted(home, NEW, encoder=f"hashing:{NEW}")
    put(home, OLD, "item-1")

    items = read(home, OLD)

    assert np.array_equal(items.text_ID, HashingEncoder(dimension=NEW).encode(items.texts))


def test_a_model_that_goes_live_while_a_training_begins_does_not_change_what_it_reads_with(home):
    promoted(home, NEW, encoder=f"hashing:{NEW}")
    settings = settings_of(home, OLD)
    own = encoder_of(settings)
    live = live_model(settings, own)

    releasing.rollback(settings)

    assert read_with(settings, live, own).version == live.bundle.manifest.encoder


def test_a_live_model_of_no_named_encoder_says_to_set_it_back(home):
    promoted(home, OLD)

    with pytest.raises(
        BundleError, match=r"set CLICKWISE_ENCODER_MODEL back, or promote it with the right --enc"
    ):
        read(home, NEW)


def test_a_live_model_whose_encoder_has_become_another_says_to_promote_it_anew(home):
    settings = settings_of(home, NEW)
    promoted(home, OLD)
    own = encoder_of(settings)
    live = replace(live_model(settings, own), encoder="hashing:32")

    with pytest.raises(BundleError, match=r"is hashing-32: promote it with the right --encoder"):
        read_with(settings, live, own)
