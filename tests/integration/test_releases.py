"""Models of two dimensions over the real engine and the real database: promoted, taken back,
tried, and killed half-way.
"""

import dataclasses
import itertools
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from clickwise import metrics
from clickwise.bundle.folder import read_manifest
from clickwise.cli import homes, release_status, releasing, wiring
from clickwise.cli.builder import UsedSpaces
from clickwise.cli.handlers import embedded_event_handler, item_handler
from clickwise.cli.opener import HomeOpener
from clickwise.clock import SystemClock
from clickwise.errors import (
    BundleError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
)
from clickwise.events import parse_event
from clickwise.items import parse_item
from clickwise.profile import from_stored
from clickwise.recommend.answers import RecommendRequest
from clickwise.releases import FixedReleases, Release
from clickwise.releases.rebuilding import Rebuilder
from clickwise.settings import Settings
from clickwise.state.port import ProfileWrite
from clickwise.testing.bundles import random_bundle
from clickwise.types import UserId
from clickwise.vectors.builder import build_generation, remove_unused
from clickwise.vectors.generations import live_model, stored_models
from streams.handlers import Arrival, EventHandler
from tests.site import FILM, MONEY, SPORT, stories

BEFORE_LIVE = ("checked", "named", "indexed", "warmed")
AFTER_LIVE = ("live", "announced", "swapped")


class KilledHereError(BaseException):
    """Nobody catches it: the command ends at this step."""


class Home:
    """A site in one folder, and processes on it that tests step by hand."""

    def __init__(self, folder, stack):
        self.folder = folder
        self.settings = Settings(
            home=str(folder / "home"),
            encoder_model="hashing:64",
            exploration=0.0,
            deadline_seconds=30.0,
        )
        self._stack = stack
        self._numbers = itertools.count()
        self.core = self.process()
        self.first = self.core.bundle.version
        self.events = embedded_event_handler(self.core)
        self.items = item_handler(self.core)

    def process(self):
        """Another process on this home."""
        return wiring.open_core(self.settings, self._stack)

    @property
    def state(self):
        return self.core.state

    @property
    def live(self):
        return self.state.pointer().role("live").version

    def bundle(self, version, dimension, **more):
        return random_bundle(
            self.folder / "made", version, encoder="hashing-64", text_dimension=64,
            dimension=dimension, **more,
        )  # fmt: skip

    def put(self, *items):
        now = datetime.now(UTC)
        parsed = [parse_item({"kind": "news", **one}, received=now)[0] for one in items]
        self.items.apply([(item.id, item) for item in parsed])

    def did(self, user, item, kind="click"):
        now = datetime.now(UTC)
        number = next(self._numbers)
        data = {"id": f"e{number}", "user": user, "item": item, "type": kind}
        return self.events.apply([Arrival(parse_event(data, received=now)[0], now)]).outcomes

    def listed(self, user, core=None, **fields):
        answer = (core or self.core).recommend(RecommendRequest(user=user, **fields))
        return answer.model, [one.item for one in answer.items]

    def profile(self, user):
        stored, _ = self.state.profile(UserId(user))
        return from_stored(stored.body)[0]

    def promote(self, version="m1", dimension=96, **more):
        done = releasing.promote(self.settings, self.bundle(version, dimension, **more))
        self.core.releases.step()
        return done


@pytest.fixture
def home(tmp_path):
    with ExitStack() as stack:
        yield Home(tmp_path, stack)


@pytest.fixture
def stocked(home):
    home.put(*stories("sport", SPORT, 12), *stories("money", MONEY, 12))
    return home


def stop_at(step):
    def told(done):
        if done == step:
            raise KilledHereError

    return told


class TestPromotion:
    def test_model_items_and_profiles_move_as_one(self, stocked):
        stocked.did("anna", "sport1")

        done = stocked.promote("m1", 96)

        model, items = stocked.listed("anna")
        assert (done.before, done.version, model) == (stocked.first, "m1", "m1")
        assert "sport1" not in items
        assert len(items) == 10
        assert live_model(homes.vectors_folder(stocked.settings)) == "m1-items"

    def test_a_new_process_starts_with_the_promoted_model(self, home):
        home.promote("m1", 96)

        assert home.listed("anna", home.process())[0] == "m1"

    def test_an_event_after_it_moves_the_profile_into_the_new_space(self, home):
        home.did("anna", "sport1")
        home.promote("m1", 96)

        assert home.did("anna", "sport2") == ("applied",)

        profile = home.profile("anna")
        assert (profile.model, profile.dimension, profile.events_applied) == ("m1", 96, 2)

    def test_rollback_is_one_step_back_and_one_forth(self, home):
        home.promote("m1", 96)
        home.promote("m2", 32)

        back = releasing.rollback(home.settings)
        assert (back.version, home.live) == ("m1", "m1")
        home.core.releases.step()
        assert home.listed("anna")[0] == "m1"

        assert releasing.rollback(home.settings).version == "m2"

    def test_rollback_to_a_damaged_model_is_refused_and_changes_nothing(self, home):
        home.promote("m1", 96)
        home.promote("m2", 32)
        (homes.bundles_folder(home.settings) / "m1" / "step.onnx").write_bytes(b"")

        with pytest.raises(BundleError, match=r"step\.onnx differs"):
            releasing.rollback(home.settings)

        assert home.live == "m2"

    def test_rollback_to_the_built_in_model(self, home):
        home.did("anna", "sport1")
        before = home.listed("anna")
        home.promote("m1", 96)

        releasing.rollback(home.settings)
        home.core.releases.step()

        assert home.listed("anna") == before

    def test_nothing_promoted_means_nothing_to_go_back_to(self, home):
        with pytest.raises(NotFoundError, match="nothing was promoted"):
            releasing.rollback(home.settings)

    def test_items_that_arrive_while_a_model_is_prepared_are_in_both(self, stocked):
        releasing_bundle = stocked.bundle("m1", 96)
        late = stories("film", FILM, 6)

        def told(step):
            if step == "indexed":
                stocked.core.releases.step()
                stocked.put(*late)

        releasing.promote(stocked.settings, releasing_bundle, told=told)
        before = {one["id"] for one in late} & set(stocked.listed(None, limit=50)[1])
        stocked.core.releases.step()
        after = {one["id"] for one in late} & set(stocked.listed(None, limit=50)[1])

        assert before == after == {one["id"] for one in late}

    def test_a_deleted_item_stays_deleted_in_every_model(self, stocked):
        stocked.promote("m1", 96)
        stocked.items.apply([("sport3", None)])
        assert "sport3" not in stocked.listed(None, limit=50)[1]

        releasing.rollback(stocked.settings)
        stocked.core.releases.step()

        assert "sport3" not in stocked.listed(None, limit=50)[1]


class TestRefusals:
    def test_a_bundle_that_is_not_there(self, home):
        with pytest.raises(NotFoundError, match="no version in"):
            releasing.promote(home.settings, "nothing")

    def test_a_damaged_bundle_is_refused_and_changes_nothing(self, home):
        folder = home.bundle("m1", 96)
        (folder / "scorer.onnx").write_bytes(b"no graph")

        with pytest.raises(BundleError, match=r"scorer\.onnx differs"):
            releasing.promote(home.settings, folder)

        assert home.live == home.first
        assert home.state.pointer().role("candidate") is None

    def test_a_bundle_for_another_text_encoder(self, home):
        folder = random_bundle(
            home.folder / "made", "m1", encoder="other-64", text_dimension=64, dimension=32
        )

        with pytest.raises(BundleError, match="made for the text encoder other-64, and"):
            releasing.promote(home.settings, folder)

    def test_a_bundle_for_text_vectors_of_another_length(self, home):
        folder = random_bundle(
            home.folder / "made", "m1", encoder="hashing-64", text_dimension=32, dimension=32
        )

        with pytest.raises(BundleError, match="text vectors of 32 numbers, and hashing:64 gives"):
            releasing.promote(home.settings, folder)

    def test_a_bundle_that_does_not_give_what_it_says_is_named_nowhere(self, home):
        folder = home.bundle("m1", 96)
        manifest = msgspec.structs.replace(read_manifest(folder), dimension=97)
        (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))

        with pytest.raises(BundleError, match=r"expected finite vectors of 97 numbers"):
            releasing.promote(home.settings, folder)

        assert [one.role for one in home.state.pointer().named] == ["live"]

    def test_a_version_that_is_no_name_of_a_folder(self, home):
        folder = home.bundle("m1", 96)
        manifest = msgspec.structs.replace(read_manifest(folder), version="../m1")
        (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))

        with pytest.raises(BundleError, match="is no name of a folder"):
            releasing.promote(home.settings, folder)

    @pytest.mark.parametrize("place", ["{}/shared", "memory://bundles/taken"])
    def test_a_url_where_another_bundle_is(self, home, place):
        url = place.format(home.folder)
        releasing.promote(home.settings, home.bundle("m1", 96), url=url)

        with pytest.raises(ConflictError, match="holds another bundle"):
            releasing.promote(home.settings, home.bundle("m2", 96), url=url)

        assert home.live == "m1"

    def test_the_live_model_is_not_promoted_again(self, home):
        home.promote("m1", 96)

        with pytest.raises(ConflictError, match="live already"):
            releasing.promote(home.settings, "m1")

    def test_another_content_under_a_version_in_use(self, home):
        home.promote("m1", 96)
        other = random_bundle(
            home.folder / "again", "m1", encoder="hashing-64", text_dimension=64, dimension=96,
            seed=5,
        )  # fmt: skip

        with pytest.raises(ConflictError, match="other content"):
            releasing.promote(home.settings, other)

    def test_other_vectors_under_the_name_of_a_space_in_use(self, home):
        home.promote("m1", 96)
        folder = home.bundle("m2", 96, seed=5)
        manifest = msgspec.structs.replace(read_manifest(folder), vectors="m1-items")
        (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))

        with pytest.raises(ConflictError, match="other item vectors than m1, under the same name"):
            releasing.promote(home.settings, folder)

        assert home.live == "m1"

    def test_a_share_that_is_none(self, home):
        with pytest.raises(ConfigurationError, match="above 0 and at most 1"):
            releasing.try_on(home.settings, "canary", home.bundle("m1", 96), share=0.0)


class TestKilled:
    @pytest.mark.parametrize("step", BEFORE_LIVE)
    def test_before_the_flip_the_old_model_is_live_entirely(self, home, step):
        home.did("anna", "sport1")
        folder = home.bundle("m1", 96)

        with pytest.raises(KilledHereError):
            releasing.promote(home.settings, folder, told=stop_at(step))
        home.core.releases.step()

        assert home.live == home.first
        assert home.listed("anna")[0] == home.first
        assert home.listed("anna", home.process())[0] == home.first
        assert releasing.promote(home.settings, folder).version == "m1"

    @pytest.mark.parametrize("step", AFTER_LIVE)
    def test_after_the_flip_the_new_model_is_live_entirely(self, stocked, step):
        stocked.did("anna", "sport1")

        with pytest.raises(KilledHereError):
            releasing.promote(stocked.settings, stocked.bundle("m1", 96), told=stop_at(step))
        stocked.core.releases.step()

        assert stocked.live == "m1"
        assert stocked.listed("anna")[0] == "m1"
        assert stocked.listed("anna", stocked.process())[0] == "m1"
        assert releasing.rollback(stocked.settings).version == stocked.first

    def test_a_killed_promotion_can_be_withdrawn(self, home):
        with pytest.raises(KilledHereError):
            releasing.promote(home.settings, home.bundle("m1", 96), told=stop_at("indexed"))

        assert releasing.withdraw(home.settings) == ["m1"]
        assert [one.role for one in home.state.pointer().named] == ["live"]


class TestTrials:
    def test_a_canary_gets_its_users_and_answers_carry_its_name(self, home):
        users = [f"user-{n}" for n in range(40)]
        releasing.try_on(home.settings, "canary", home.bundle("m1", 96), share=0.5)
        home.core.releases.step()

        models = [home.listed(user)[0] for user in users]

        assert set(models) == {"m1", home.first}
        assert 8 <= models.count("m1") <= 32
        assert [home.listed(user)[0] for user in users] == models

    def test_events_of_a_canarys_users_fold_in_its_space(self, home):
        releasing.try_on(home.settings, "canary", home.bundle("m1", 96), share=1.0)
        home.core.releases.step()

        home.did("anna", "sport1")

        assert home.profile("anna").model == "m1"

    def test_a_withdrawn_canary_leaves_no_trace_in_answers(self, stocked):
        stocked.did("anna", "sport1")
        before = stocked.listed("anna")
        releasing.try_on(stocked.settings, "canary", stocked.bundle("m1", 96), share=1.0)
        stocked.core.releases.step()
        stocked.did("anna", "money1")

        releasing.withdraw(stocked.settings)
        stocked.core.releases.step()

        model, items = stocked.listed("anna")
        assert model == before[0] == stocked.first
        assert "money1" not in items

    def test_a_candidate_that_was_left_behind_is_prepared_again_for_its_trial(self, stocked):
        folder = stocked.bundle("m1", 96)
        with pytest.raises(KilledHereError):
            releasing.promote(stocked.settings, folder, told=stop_at("named"))
        steps = []

        releasing.try_on(
            stocked.settings, "canary", folder, share=0.5, told=steps.append
        )  # fmt: skip

        assert steps == ["checked", "named", "indexed", "warmed", "canary"]
        assert {one.role for one in stocked.state.pointer().named} == {"live", "canary"}

    def test_a_canary_that_proves_itself_is_promoted(self, home):
        releasing.try_on(home.settings, "canary", home.bundle("m1", 96), share=0.5)

        releasing.promote(home.settings, "m1")

        roles = {one.role: one.version for one in home.state.pointer().named}
        assert roles == {"live": "m1", "previous": home.first}

    def test_a_shadow_is_compared_and_seen_by_nobody(self, stocked):
        stocked.did("anna", "sport1")
        releasing.try_on(stocked.settings, "shadow", stocked.bundle("m1", 96), share=1.0)
        stocked.core.releases.step()
        shadow = stocked.core.shadow()
        answers = stocked.core.answers(shadow=shadow)
        before = count("clickwise_shadow_overlap_ratio_count")

        answer = answers.recommend(RecommendRequest(user="anna"))
        shadow.step()

        assert answer.model == stocked.first
        assert count("clickwise_shadow_overlap_ratio_count") == before + 1

    def test_a_busy_shadow_drops_and_counts(self, home):
        releasing.try_on(home.settings, "shadow", home.bundle("m1", 96), share=1.0)
        home.core.releases.step()
        answers = home.core.answers(shadow=home.core.shadow())
        before = count('clickwise_dropped_total{queue="shadow"}')

        for _ in range(70):
            answers.recommend(RecommendRequest(user="anna"))

        assert count('clickwise_dropped_total{queue="shadow"}') == before + 6


class TestBuilding:
    def test_every_model_in_use_has_its_space_and_others_are_removed(self, stocked):
        stocked.promote("m1", 96)
        stocked.promote("m2", 32)
        spaces = UsedSpaces(stocked.settings, stocked.state)
        root = homes.vectors_folder(stocked.settings)

        named = [space.name for space in spaces.now().spaces]
        for space in spaces.now().spaces:
            build_generation(root, space.name, space.dimension, space.changes_after)
        remove_unused(root, set(named))

        assert sorted(named) == ["m1-items", "m2-items"]
        assert stored_models(root) == ["m1-items", "m2-items"]

    def test_a_bundle_that_cannot_be_read_removes_nothing_and_holds_up_no_other(self, home):
        home.promote("m1", 96)
        (homes.bundles_folder(home.settings) / "m1" / "items.npy").write_bytes(b"")

        wanted = UsedSpaces(home.settings, home.state).now()

        assert wanted.kept is None
        assert [space.name for space in wanted.spaces] == ["hashing-64"]

    def test_a_candidate_whose_items_are_being_encoded_waits_and_is_not_removed(self, stocked):
        folder = random_bundle(
            stocked.folder / "made", "w1", encoder="hashing-128", text_dimension=128, dimension=48
        )
        with pytest.raises(KilledHereError):
            releasing.promote(
                stocked.settings, folder, encoder="hashing:128", told=stop_at("named")
            )

        wanted = UsedSpaces(stocked.settings, stocked.state).now()

        assert [space.name for space in wanted.spaces] == ["hashing-64"]
        assert wanted.kept == {"hashing-64", "w1-items"}

    def test_bundles_that_differ_in_rules_alone_share_a_space(self, home):
        home.promote("m1", 96)
        folder = homes.bundles_folder(home.settings) / "m1"
        manifest = msgspec.structs.replace(read_manifest(folder), version="m1-again")
        other = home.folder / "made" / "m1-again"
        other.mkdir()
        for file in folder.iterdir():
            (other / file.name).write_bytes(file.read_bytes())
        (other / "manifest.json").write_bytes(msgspec.json.encode(manifest))

        releasing.promote(home.settings, other)
        home.core.releases.step()

        first, second = home.core.releases.every()[:2]
        assert {first.version, second.version} == {"m1-again", "m1"}
        assert first.catalog.index is second.catalog.index


class TestBundlesFromElsewhere:
    def test_another_machine_fetches_the_bundle_from_its_url(self, home, tmp_path):
        shared = tmp_path / "shared" / "m1"
        releasing.promote(home.settings, home.bundle("m1", 96), url=str(shared))
        elsewhere = msgspec.structs.replace(
            home.settings, home=str(tmp_path / "elsewhere"),
            database_url=msgspec.convert(
                homes.database_url(home.settings), type(home.settings.database_url),
                dec_hook=lambda kind, value: kind(value),
            ),
        )  # fmt: skip

        with ExitStack() as stack:
            core = wiring.open_core(elsewhere, stack)

            assert core.bundle.version == "m1"
            assert (homes.bundles_folder(elsewhere) / "m1" / "manifest.json").is_file()
            assert home.listed(None, core)[0] == "m1"

    def test_a_url_of_fsspec(self, home):
        url = "memory://bundles/m1"
        releasing.promote(home.settings, home.bundle("m1", 96), url=url)
        named = home.state.pointer().role("live")
        folder = homes.bundles_folder(home.settings) / "m1"
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()

        HomeOpener(home.settings, home.state).open(named).close()

        assert read_manifest(folder).version == "m1"

    def test_a_manifest_that_is_not_the_released_one_is_refused(self, home):
        shared = home.folder / "shared" / "m1"
        releasing.promote(home.settings, home.bundle("m1", 96), url=str(shared))
        named = home.state.pointer().role("live")
        manifest = homes.bundles_folder(home.settings) / "m1" / "manifest.json"
        manifest.write_bytes(manifest.read_bytes() + b" ")

        with pytest.raises(BundleError, match="not the one that was released"):
            HomeOpener(home.settings, home.state).open(named)


class TestAnotherEncoder:
    """A model made for other text vectors than those that the items have."""

    def wider(self, home, version="w1"):
        return random_bundle(
            home.folder / "made", version, encoder="hashing-128", text_dimension=128, dimension=48
        )

    def test_items_are_encoded_before_it_goes_live(self, stocked):
        stocked.did("anna", "sport1")
        steps = []

        releasing.promote(
            stocked.settings, self.wider(stocked), encoder="hashing:128", told=steps.append
        )
        stocked.core.releases.step()

        model, items = stocked.listed("anna")
        assert model == "w1"
        assert len(items) == 10
        assert "encoded 24 of about 24 items" in steps
        assert steps.index("encoded 24 of about 24 items") < steps.index("live")

    def test_the_first_items_of_an_empty_site_are_not_missing(self, home):
        def told(step):
            if step == "indexed":  # by a process that has not heard of the encoder
                home.put(*stories("film", FILM, 4))

        releasing.promote(home.settings, self.wider(home), encoder="hashing:128", told=told)
        home.core.releases.step()

        assert set(home.listed(None)[1]) == {f"film{n}" for n in range(4)}

    def test_items_that_arrive_later_are_in_both_spaces(self, stocked):
        releasing.promote(stocked.settings, self.wider(stocked), encoder="hashing:128")
        stocked.core.releases.step()

        stocked.put(*stories("film", FILM, 4))
        here = stocked.listed(None, limit=50)
        releasing.rollback(stocked.settings)
        stocked.core.releases.step()
        there = stocked.listed(None, limit=50)

        late = {f"film{n}" for n in range(4)}
        assert (here[0], there[0]) == ("w1", stocked.first)
        assert late <= set(here[1])
        assert late <= set(there[1])

    def test_an_item_of_a_process_that_had_not_heard_of_it_is_not_missing(self, stocked):
        def told(step):
            if step == "indexed":  # this process has not looked at the pointer yet
                stocked.put(*stories("film", FILM, 4))

        releasing.promote(stocked.settings, self.wider(stocked), encoder="hashing:128", told=told)
        stocked.core.releases.step()

        assert {f"film{n}" for n in range(4)} <= set(stocked.listed(None, limit=50)[1])

    def test_killed_while_encoding_it_goes_on_where_it_was(self, stocked):
        folder = self.wider(stocked)

        def told(step):
            if step.startswith("encoded"):
                raise KilledHereError

        with pytest.raises(KilledHereError):
            releasing.promote(stocked.settings, folder, encoder="hashing:128", told=told)
        stocked.core.releases.step()
        assert stocked.live == stocked.first
        assert stocked.did("anna", "sport1") == ("applied",)

        steps = []
        releasing.promote(stocked.settings, "w1", encoder="hashing:128", told=steps.append)

        assert stocked.live == "w1"
        assert not [step for step in steps if step.startswith("encoded")]

    def test_a_restarted_process_opens_its_encoder_again(self, stocked):
        releasing.promote(stocked.settings, self.wider(stocked), encoder="hashing:128")

        core = stocked.process()

        assert [one.version for one in core.encoders.others()] == ["hashing-128"]
        assert stocked.listed(None, core)[0] == "w1"

    def test_the_wrong_encoder_is_refused(self, home):
        with pytest.raises(BundleError, match="hashing:32 is hashing-32"):
            releasing.promote(home.settings, self.wider(home), encoder="hashing:32")


class TestRebuilding:
    def rebuilder(self, home):
        opener = HomeOpener(home.settings, home.state)
        return Rebuilder(state=home.state, opener=opener, clock=SystemClock())

    def test_profiles_are_rebuilt_in_the_background_and_say_the_same_events(self, stocked):
        for user in ("anna", "bert", "cleo"):
            stocked.did(user, "sport1")
            stocked.did(user, "money2")
        before = stocked.profile("anna")
        stocked.promote("m1", 96)
        rebuilder = self.rebuilder(stocked)

        while rebuilder.step():
            pass

        after = stocked.profile("anna")
        assert {stocked.profile(u).model for u in ("anna", "bert", "cleo")} == {"m1"}
        assert (after.dimension, after.events_applied) == (96, before.events_applied)
        assert after.history["item"].tolist() == before.history["item"].tolist()
        assert release_status.status(stocked.settings).rebuilt == 3

    def test_rebuilt_profiles_give_the_list_that_a_request_had_before(self, stocked):
        stocked.did("anna", "sport1")
        stocked.promote("m1", 96)
        lazily = stocked.listed("anna")

        while self.rebuilder(stocked).step():
            pass

        assert stocked.listed("anna") == lazily

    def test_an_event_that_comes_meanwhile_wins(self, home):
        home.did("anna", "sport1")
        home.promote("m1", 96)
        rebuilder = self.rebuilder(home)
        read = home.state.profile

        def read_then_click(user):
            found = read(user)
            if user == "anna" and home.profile_is("anna", home.first):
                home.did("anna", "sport2")
            return found

        home.profile_is = lambda user, model: from_stored(read(user)[0].body)[0].model == model
        rebuilder._state = Wrapped(home.state, profile=read_then_click)
        while rebuilder.step():
            pass

        assert home.profile("anna").events_applied == 2
        assert home.profile("anna").model == "m1"

    def test_profiles_of_a_withdrawn_canary_are_rebuilt_too(self, home):
        rebuilder = self.rebuilder(home)
        while rebuilder.step():
            pass
        releasing.try_on(home.settings, "canary", home.bundle("m1", 96), share=1.0)
        home.core.releases.step()
        home.did("anna", "sport1")
        assert home.profile("anna").model == "m1"

        releasing.withdraw(home.settings)
        while rebuilder.step():
            pass

        assert home.profile("anna").model == home.first

    def test_a_damaged_profile_does_not_stop_it(self, home):
        home.did("anna", "sport1")
        home.did("bert", "sport1")
        stored, _ = home.state.profile(UserId("anna"))
        with home.state.write() as write:
            write.put_profiles([ProfileWrite(UserId("anna"), stored.version, b"damaged")])
        home.promote("m1", 96)
        rebuilder = self.rebuilder(home)

        while rebuilder.step():
            pass

        assert home.profile("bert").model == "m1"

    def test_an_event_folds_anew_while_no_writer_waits(self, home):
        for number in range(5):
            home.did("anna", f"sport{number}")
        home.put(*stories("sport", SPORT, 6))
        home.promote("m1", 96)
        inside, steps = [], []

        @contextmanager
        def write():
            with home.state.write() as open_one:
                inside.append(1)
                try:
                    yield open_one
                finally:
                    inside.pop()

        class Noting:
            """The recurrence, and whether a transaction was open at each step."""

            def __init__(self, real):
                self._real = real
                self.memory, self.read = real.memory, real.read

            def step(self, *given, **named):
                steps.append(bool(inside))
                return self._real.step(*given, **named)

        live = home.core.releases.live
        noting = dataclasses.replace(live.bundle, recurrence=Noting(live.bundle.recurrence))
        home.events = EventHandler(
            state=Wrapped(home.state, write=write),
            releases=FixedReleases(Release(noting, live.catalog)),
            clock=SystemClock(),
            keep_bodies=True,
        )

        assert home.did("anna", "sport5") == ("applied",)

        assert steps == [False] * 5 + [True]
        assert home.profile("anna").events_applied == 6
        assert home.profile("anna").model == "m1"

    def test_it_goes_on_with_another_model_when_the_pointer_changes(self, home):
        home.did("anna", "sport1")
        home.promote("m1", 96)
        rebuilder = self.rebuilder(home)
        while rebuilder.step():
            pass

        releasing.rollback(home.settings)
        while rebuilder.step():
            pass

        assert home.profile("anna").model == home.first


class Wrapped:
    """The state with some calls replaced."""

    def __init__(self, state, **calls):
        self._state = state
        self._calls = calls

    def __getattr__(self, name):
        return self._calls.get(name) or getattr(self._state, name)


@pytest.mark.case(16)
def test_models_of_two_dimensions_swap_under_load_and_nothing_fails_mixes_or_is_lost(stocked):
    users = [f"user-{n}" for n in range(6)]
    for user in users:
        stocked.did(user, "sport1")
    stocked.put(*stories("film", FILM, 12))
    stop, faults = threading.Event(), []
    scores, models, sent = {}, set(), dict.fromkeys(users, 1)
    answers = stocked.core.answers()

    def read():
        while not stop.is_set():
            answer = answers.recommend(RecommendRequest(user="looker"))
            models.add(answer.model)
            for one in answer.items:
                known = scores.setdefault((answer.model, one.item), one.score)
                if answer.model != stocked.first and abs(known - one.score) > 1e-4:
                    faults.append(f"{one.item} scores {one.score}, and {known} before")

    def click():
        for number in itertools.count():
            if stop.is_set():
                return
            user = users[number % len(users)]
            if stocked.did(user, f"film{number % 12}") != ("applied",):
                faults.append("an event was not applied")
            sent[user] += 1

    def put():
        for number in itertools.count():
            if stop.wait(0.02):
                return
            stocked.put({"id": f"new{number}", "title": f"football number{number}"})

    def guarded(work):
        try:
            work()
        except Exception as error:
            faults.append(repr(error))
            raise

    stocked.did("looker", "sport2")
    mixed = count("clickwise_mixed_vectors_total")
    threads = [threading.Thread(target=guarded, args=(work,)) for work in (read, click, put)]
    for thread in threads:
        thread.start()
    try:
        for number in range(6):
            stocked.promote(f"m{number}", (96, 32)[number % 2], seed=number)
            releasing.rollback(stocked.settings)
            stocked.core.releases.step()
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert faults == []
    assert models >= {stocked.first}
    assert len(models) > 1
    assert {user: stocked.profile(user).events_applied for user in users} == sent
    assert count("clickwise_mixed_vectors_total") == mixed
    assert [one.version for one in stocked.core.releases.every()] == [stocked.first, "m5"]
    assert stocked.live == stocked.first


def count(name):
    """A figure, 0 where it is not there yet."""
    lines = metrics.expose().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_the_status_says_who_has_which_role(stocked):
    stocked.promote("m1", 96)

    found = release_status.status(stocked.settings)

    by_role = {one.role: one for one in found.roles}
    assert (by_role["live"].version, by_role["live"].dimension) == ("m1", 96)
    assert by_role["live"].indexed == 24
    assert by_role["previous"].version == stocked.first
    assert timedelta(seconds=by_role["live"].age_seconds) < timedelta(minutes=5)
