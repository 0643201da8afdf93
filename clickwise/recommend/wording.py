"""The words of a page's items, for one reader: by the reader's language and main topic.

Looked up in memory; nothing here waits. Guests are never held out: they have no id to draw by.
"""

from clickwise.recommend.answers import RecommendRequest
from clickwise.recommend.taste import Taste
from clickwise.types import ItemKey
from clickwise.writing.segments import language_part, looked_up, main_topic
from clickwise.writing.shelf import OwnWords, Words
from clickwise.writing.shown import ItemText

NO_WORDS = OwnWords()


class Wording:
    """Called with an item's key and its own title."""

    def __init__(self, words: Words, request: RecommendRequest, taste: Taste) -> None:
        self._words = words
        # The first language that a reader asks for is taken for the reader's own.
        language = request.languages[0] if request.languages else ""
        self._segments = looked_up(language_part(language), main_topic(taste.topics))
        self._held = request.user is not None and words.is_held(request.user)

    def __call__(self, key: ItemKey, title: str) -> ItemText:
        """What to show of the item."""
        return self._words.of(key, title, self._segments, held=self._held)
