"""Sentences that say why, in the languages that we write ourselves; others get English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clickwise.recommend.why import Influence
from clickwise.types import EventType


@dataclass(frozen=True, slots=True)
class _Words:
    """One language: what was done, how a list is joined, and a sentence for each code."""

    did: Mapping[EventType, str]
    quoted: str
    joined: str
    comma: str
    raised: str
    topics: str
    codes: Mapping[str, str]


_ENGLISH = _Words(
    did={
        EventType.CLICK: "clicked {}",
        EventType.VIEW: "viewed {}",
        EventType.RATING: "rated {}",
        EventType.LIKE: "liked {}",
        EventType.DISLIKE: "disliked {}",
        EventType.HIDE: "hid {}",
        EventType.BOOKMARK: "bookmarked {}",
        EventType.SHARE: "shared {}",
        EventType.PURCHASE: "bought {}",
    },
    quoted='"{}"',
    joined=" and ",
    comma=", ",
    raised="Because you {}.",
    topics="You read about {}.",
    codes={
        "interest": "Close to your interests.",
        "co_clicked": "Readers like you went on to this.",
        "topic": "On a topic of yours.",
        "trending": "Many people open this now.",
        "fresh": "New on this site.",
        "exploration": "Something different, to learn what you like.",
    },
)
_CHINESE = _Words(
    did={
        EventType.CLICK: "点击了{}",
        EventType.VIEW: "看过{}",
        EventType.RATING: "评价了{}",
        EventType.LIKE: "喜欢{}",
        EventType.DISLIKE: "不喜欢{}",
        EventType.HIDE: "隐藏了{}",
        EventType.BOOKMARK: "收藏了{}",
        EventType.SHARE: "分享了{}",
        EventType.PURCHASE: "购买了{}",
    },
    quoted="“{}”",
    joined="，也",
    comma="、",
    raised="因为您{}。",
    topics="您关注：{}。",
    codes={
        "interest": "与您的兴趣相近。",
        "co_clicked": "与您相似的读者接着看了它。",
        "topic": "属于您关注的话题。",
        "trending": "现在很多人在看。",
        "fresh": "本站新内容。",
        "exploration": "换个口味，好让我们了解您的喜好。",
    },
)
_PORTUGUESE = _Words(
    did={
        EventType.CLICK: "clicou em {}",
        EventType.VIEW: "viu {}",
        EventType.RATING: "avaliou {}",
        EventType.LIKE: "gostou de {}",
        EventType.DISLIKE: "não gostou de {}",
        EventType.HIDE: "ocultou {}",
        EventType.BOOKMARK: "guardou {}",
        EventType.SHARE: "partilhou {}",
        EventType.PURCHASE: "comprou {}",
    },
    quoted='"{}"',
    joined=" e ",
    comma=", ",
    raised="Porque você {}.",
    topics="Você lê sobre {}.",
    codes={
        "interest": "Próximo dos seus interesses.",
        "co_clicked": "Leitores como você seguiram para isto.",
        "topic": "De um tema seu.",
        "trending": "Muita gente está abrindo isto agora.",
        "fresh": "Novo neste site.",
        "exploration": "Algo diferente, para conhecer o seu gosto.",
    },
)
_LANGUAGES = {"en": _ENGLISH, "zh": _CHINESE, "pt": _PORTUGUESE}
LANGUAGES = tuple(_LANGUAGES)


def sentence(
    code: str, influences: Sequence[Influence], topics: Sequence[str], *, language: str
) -> str:
    """Why, in one or two sentences: the events that raised the score, else what the code says.

    `language` is a BCP 47 tag, of which the first part counts.
    """
    words = _LANGUAGES.get(language.partition("-")[0].lower(), _ENGLISH)
    raised = [one for one in influences if one.effect > 0.0 and one.type in words.did]
    parts = []
    if raised and code != "exploration":
        did = [words.did[one.type].format(words.quoted.format(one.title)) for one in raised]
        parts.append(words.raised.format(words.joined.join(did)))
    else:
        parts.append(words.codes.get(code, words.codes["trending"]))
    if topics:
        parts.append(words.topics.format(words.comma.join(topics)))
    return ("" if words is _CHINESE else " ").join(parts)
