"""Sentences that say why, in the languages that we write ourselves; others get English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clickwise.recommend.why import Influence
from clickwise.types import EventType, ItemId, ItemKind
from clickwise.writing.segments import language_part


@dataclass(frozen=True, slots=True)
class Words:
    """One language: what was done, how a list is joined, and a sentence for each code.

    What is read, watched, taken or seen goes by the kind of item; None: not known, or several.
    `went_on` takes what the reader `did` and others `opened`, each with the title, or with `it`.
    """

    did: Mapping[EventType, str]
    viewed: Mapping[ItemKind | None, str]
    quoted: str
    joined: str
    comma: str
    raised: str
    near: str
    went_on: str
    it: str
    topics: Mapping[ItemKind | None, str]
    codes: Mapping[str, str]

    def done(self, event: EventType, kind: ItemKind | None, what: str) -> str:
        """What was done with `what`, an item of `kind`."""
        form = self.viewed[kind] if event is EventType.VIEW else self.did[event]
        return form.format(what).rstrip()

    def others_went_on(self, event: EventType, kind: ItemKind | None, title: str) -> str:
        """That people went on to this from an item of `kind` that the reader had to do with."""
        opened, quoted = self.viewed[kind], self.quoted.format(title)
        return self.went_on.format(
            did=self.done(event, kind, quoted),
            did_it=self.done(event, kind, self.it),
            opened=opened.format(quoted).rstrip(),
            opened_it=opened.format(self.it).rstrip(),
        )


def _by_kind(
    *, read: str, watched: str, took: str, saw: str, other: str
) -> dict[ItemKind | None, str]:
    return {
        ItemKind.NEWS: read,
        ItemKind.ARTICLE: read,
        ItemKind.VIDEO: watched,
        ItemKind.COURSE: took,
        ItemKind.AD: saw,
        None: other,
    }


ENGLISH = Words(
    did={
        EventType.CLICK: "clicked {}",
        EventType.RATING: "rated {}",
        EventType.LIKE: "liked {}",
        EventType.DISLIKE: "disliked {}",
        EventType.HIDE: "hid {}",
        EventType.BOOKMARK: "bookmarked {}",
        EventType.SHARE: "shared {}",
        EventType.PURCHASE: "bought {}",
    },
    viewed=_by_kind(
        read="read {}", watched="watched {}", took="took {}", saw="saw {}", other="viewed {}"
    ),
    quoted='"{}"',
    joined=" and ",
    comma=", ",
    raised="Because you {}.",
    near="Close to what you engaged with: you {}.",
    went_on="People who {opened}, which you {did_it}, went on to this.",
    it="",
    topics=_by_kind(
        read="You read about {}.",
        watched="You watch {}.",
        took="You take courses on {}.",
        saw="You look at ads on {}.",
        other="You follow {}.",
    ),
    codes={
        "interest": "Among what fits your interests best.",
        "co_clicked": "People like you went on to this.",
        "topic": "On a topic of yours.",
        "trending": "Opened often at the moment.",
        "fresh": "New on this site.",
        "exploration": "Something different, to learn what you like.",
    },
)
_CHINESE = Words(
    did={
        EventType.CLICK: "点击了{}",
        EventType.RATING: "评价了{}",
        EventType.LIKE: "喜欢{}",
        EventType.DISLIKE: "不喜欢{}",
        EventType.HIDE: "隐藏了{}",
        EventType.BOOKMARK: "收藏了{}",
        EventType.SHARE: "分享了{}",
        EventType.PURCHASE: "购买了{}",
    },
    viewed=_by_kind(
        read="读过{}", watched="看过{}", took="学过{}", saw="看到过{}", other="浏览过{}"
    ),
    quoted="“{}”",
    joined="，也",
    comma="、",
    raised="因为您{}。",
    near="与您关注过的内容相近：您{}。",
    went_on="您{did}；{opened_it}的人接着打开了本条。",
    it="它",
    topics=_by_kind(
        read="您常读：{}。",
        watched="您常看：{}。",
        took="您在学：{}。",
        saw="您看过这类广告：{}。",
        other="您关注：{}。",
    ),
    codes={
        "interest": "在最符合您兴趣的内容之中。",
        "co_clicked": "与您相似的人接着打开了它。",
        "topic": "属于您关注的话题。",
        "trending": "最近打开得比较多。",
        "fresh": "本站新内容。",
        "exploration": "换个口味，好让我们了解您的喜好。",
    },
)
_PORTUGUESE = Words(
    did={
        EventType.CLICK: "clicou em {}",
        EventType.RATING: "avaliou {}",
        EventType.LIKE: "gostou de {}",
        EventType.DISLIKE: "não gostou de {}",
        EventType.HIDE: "ocultou {}",
        EventType.BOOKMARK: "guardou {}",
        EventType.SHARE: "partilhou {}",
        EventType.PURCHASE: "comprou {}",
    },
    viewed=_by_kind(
        read="leu {}", watched="assistiu a {}", took="fez {}", saw="viu {}", other="abriu {}"
    ),
    quoted='"{}"',
    joined=" e ",
    comma=", ",
    raised="Porque você {}.",
    near="Parecido com o que lhe interessou: você {}.",
    went_on="Você {did}; quem {opened_it} seguiu para este.",
    it="esse conteúdo",
    topics=_by_kind(
        read="Você lê sobre {}.",
        watched="Você assiste a {}.",
        took="Você faz cursos de {}.",
        saw="Você vê anúncios de {}.",
        other="Você acompanha {}.",
    ),
    codes={
        "interest": "Entre o que mais combina com os seus interesses.",
        "co_clicked": "Pessoas como você seguiram para isto.",
        "topic": "De um tema seu.",
        "trending": "Bastante aberto neste momento.",
        "fresh": "Novo neste site.",
        "exploration": "Algo diferente, para conhecer o seu gosto.",
    },
)
_LANGUAGES = {"en": ENGLISH, "zh": _CHINESE, "pt": _PORTUGUESE}
LANGUAGES = tuple(_LANGUAGES)
DEFAULT = "en"
TOLD_SHARE = 0.1  # of the score, from which on an event is said to be why


def told_in(languages: Sequence[str]) -> str:
    """The first of a reader's languages (BCP 47 tags) that we write; else English."""
    parts = (language_part(language) for language in languages)
    return next((part for part in parts if part in _LANGUAGES), DEFAULT)


def words_in(language: str) -> Words:
    """The words of a language (a BCP 47 tag); English where we write none in it."""
    return _LANGUAGES.get(language_part(language), ENGLISH)


def sentence(
    code: str,
    influences: Sequence[Influence],
    topics: Sequence[str],
    *,
    score: float,
    language: str,
    kinds: Mapping[ItemId, ItemKind],
    followed: ItemKind | None,
) -> str:
    """Why, in one or two sentences: the events that raised the `score`, else what the code says.

    What raised it by less than a tenth is no "because"; it stands among the influences.
    `language` is a BCP 47 tag, of which the first part counts. `kinds` are of the influences'
    items, `followed` is what the user's items of these topics are: None for several kinds.
    """
    words = words_in(language)
    least = TOLD_SHARE * abs(score)
    raised = [
        one
        for one in influences
        if one.effect > 0.0 and one.effect >= least and _is_told(one, words)
    ]
    parts = []
    if raised and code != "exploration":
        did = [
            words.done(one.type, kinds.get(one.item), words.quoted.format(one.title))
            for one in raised
        ]
        parts.append(words.raised.format(words.joined.join(did)))
    else:
        parts.append(words.codes.get(code, words.codes["trending"]))
    if topics:
        parts.append(words.topics[followed].format(words.comma.join(topics)))
    return ("" if words is _CHINESE else " ").join(parts)


def _is_told(one: Influence, words: Words) -> bool:
    return one.type is EventType.VIEW or one.type in words.did
