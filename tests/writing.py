"""A keeper of texts over a real database, for tests: model, gate and clock are in their hands."""

import json
from datetime import UTC, datetime

from clickwise.activity import Activity
from clickwise.profile import Rules, empty_profile, stored_body
from clickwise.state.port import ItemWrite, ProfileWrite
from clickwise.state.sql import open_state
from clickwise.state.understandings import StoredUnderstanding
from clickwise.testing.writer import ScriptedWriter
from clickwise.types import ItemId, ModelVersion, UserId, item_key, topic_code
from clickwise.writing.breaker import Breaker
from clickwise.writing.budget import Budget
from clickwise.writing.calls import Calls
from clickwise.writing.choosing import Terms
from clickwise.writing.gate import Judgement
from clickwise.writing.keeper import TextKeeper
from clickwise.writing.segments import OWN, Segment
from tests.site import ManualClock

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
BODY = (
    "The city of Porto opened a new tram line on Monday. It is twelve kilometers long and has"
    " eighteen stops. The mayor said that the work took four years. Trams run every six minutes"
    " during the day. A ticket costs two euros. The old bus along the river stays in service for"
    " now. Residents asked for more trees at the stops, and the city agreed to"
    " plant thirty of them in March, before the next line opens in the north."
)
EVERYBODY = Segment(OWN).key


class Kept:
    """A keeper over a real database, with everything else in hand."""

    def __init__(self, folder, *, budget=1_000_000, judge=None, clock=None, **terms):
        self.clock = clock if clock is not None else ManualClock()
        self.state = open_state(
            f"sqlite:///{folder / 'state.db'}", timeout_seconds=5.0, pool_size=2
        )
        self.state.migrate()
        self.texts = self.state.texts
        self.writer = ScriptedWriter()
        self.budget = budget
        self.judge = judge if judge is not None else self._accept
        self.terms = {
            "segments": 2, "half_life_seconds": 3 * 86_400.0, "rejections": 100,
            "gate": "gate-1", **terms,
        }  # fmt: skip
        self.judged = []
        self.language = ""  # of items that do not say theirs
        self.keeper = None
        self.start()

    def start(self):
        """As after a restart of the process."""
        if self.keeper is not None:
            self.keeper.lease.release()
        self.breaker = Breaker(self.clock.monotonic)
        calls = Calls(
            self.writer,
            breaker=self.breaker,
            budget=Budget(self.texts, self.clock, tokens_per_day=self.budget),
            clock=self.clock,
            pause=lambda seconds: self.clock.advance(seconds=seconds),
            deadline_seconds=5.0,
        )
        self.keeper = TextKeeper(
            state=self.state, calls=calls, judge=self.judge, clock=self.clock,
            terms=Terms(**self.terms), language_of=lambda _key: self.language,
        )  # fmt: skip

    def _accept(self, draft, source, others):
        self.judged.append((draft, source, others))
        return Judgement(True, "", "", 1.0)

    def put(self, name, *, body=BODY, title=None, topics=(), language="en", **more):
        value = {
            "id": name, "kind": "news", "title": title if title is not None else f"Title of {name}",
            "body": body, "language": language, "topics": list(topics),
            "published": NOW.isoformat(), **more,
        }  # fmt: skip
        row = ItemWrite(
            key=item_key(name), id=ItemId(name), body=json.dumps(value).encode(),
            model=ModelVersion("m"), vector=b"v",
        )  # fmt: skip
        with self.state.write() as write:
            write.put_items([row])

    def understand(self, name, language):
        """As the process that understands does."""
        self.language = language
        row = StoredUnderstanding(
            key=item_key(name), change=self.state.newest_change(), methods="m", reason="",
            body=b"{}", signature=b"", bands=(),
        )  # fmt: skip
        assert self.state.understandings.put([row])

    def delete(self, name):
        row = ItemWrite(item_key(name), ItemId(name), None, ModelVersion("m"), None)
        with self.state.write() as write:
            write.put_items([row])

    def click(self, name, times):
        activity = Activity()
        activity.log_score = NOW.timestamp() / (3 * 86_400.0) * 0.693147 + times
        with self.state.write() as write:
            write.put_activity({item_key(name): activity.store()})

    def reader(self, user, topic):
        profile = empty_profile(ModelVersion("m"), dimension=4, rules=Rules())
        profile.topic_weights = {topic_code(topic): 1.0}
        with self.state.write() as write:
            write.put_profiles([ProfileWrite(UserId(user), 0, stored_body(profile, received=0.0))])

    def work(self, steps=50):
        """Step until nothing is due."""
        for _ in range(steps):
            wait = self.keeper.step()
            if wait:
                return wait
        return 0.0

    def of(self, name):
        return {(one.segment, one.field): one.text for one in self.texts.texts_of(item_key(name))}

    def order(self):
        """Items in the order in which their titles were asked for."""
        asked = [messages[-1].content for messages in self.writer.asked]
        return [
            text.partition("Title of ")[2].partition("\n")[0]
            for text in asked
            if "Write one headline" in text
        ]
