"""The parts fit together: what is opened names one model everywhere."""

from contextlib import ExitStack

from clickwise.cli import homes, wiring
from clickwise.settings import Settings
from clickwise.vectors.generations import live_model


def test_the_alias_names_the_vectors_of_the_bundle_in_use(tmp_path):
    settings = Settings(home=str(tmp_path), encoder_model="hashing:64")
    with ExitStack() as stack:
        wiring.state_of(settings, stack).migrate()

    with ExitStack() as stack:
        core = wiring.open_core(settings, stack)

        assert live_model(homes.vectors_folder(settings)) == core.bundle.vectors
        assert core.catalog.index.model == core.bundle.vectors
        assert core.catalog.model == core.bundle.version


def test_another_encoder_moves_the_alias(tmp_path):
    for dimension in (64, 32):
        settings = Settings(home=str(tmp_path), encoder_model=f"hashing:{dimension}")
        with ExitStack() as stack:
            wiring.state_of(settings, stack).migrate()
            core = wiring.open_core(settings, stack)

            assert live_model(homes.vectors_folder(settings)) == core.bundle.vectors
