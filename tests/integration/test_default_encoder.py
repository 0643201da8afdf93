"""The default encoder knows what texts mean, in Chinese and English alike."""

import numpy as np
import pytest

from clickwise.items import Item
from clickwise.testing.encoder import default_encoder
from clickwise.text import item_text
from clickwise.types import ItemId, ItemKind
from clickwise.vectors.port import Float32Array

# Of the seed: two headlines that were read and one that was not, with their topics.
READ = (("科技公司发布新人工智能", "科技"), ("流行文化现象", "流行文化"))
UNREAD_TOPIC = "finance"

Titles = dict[tuple[str, str], tuple[str, ...]]

# New items, four a topic and language, none left out. With these the form of an item's text
# was chosen, so they alone would prove little.
CHOSEN_WITH: Titles = {
    ("technology", "科技"): (
        "新一代大模型助手上线，能写代码会画图",
        "芯片巨头推出人工智能处理器",
        "机器人公司展示会做家务的人形机器人",
        "手机厂商把语音助手换成了大语言模型",
    ),
    ("technology", "technology"): (
        "Startup unveils an AI assistant that writes software",
        "Chip maker launches a faster processor for neural networks",
        "Tech giant releases open language model for developers",
        "Humanoid robot learns household chores with machine learning",
    ),
    ("pop culture", "流行文化"): (
        "街头舞蹈视频走红网络，年轻人争相模仿",
        "动漫周边成为年轻人的新潮流",
        "流行歌手新专辑刷屏社交媒体",
        "选秀节目带火国风音乐",
    ),
    ("pop culture", "pop culture"): (
        "Viral dance trend sweeps social media",
        "Pop star's new album breaks streaming records",
        "How anime fandom became mainstream youth culture",
        "The meme everyone is sharing this summer",
    ),
    ("finance", "金融"): (
        "股市暴跌，投资者纷纷抛售",
        "美元走强，金价连续下挫",
        "央行加息引发债券市场震荡",
        "原油期货大幅上涨，市场避险情绪升温",
    ),
    ("finance", "finance"): (
        "Stocks tumble as investors dump shares",
        "Bond yields jump after rate decision",
        "Gold price slides while the dollar gains",
        "Oil futures swing wildly amid market fears",
    ),
}

# Written afterwards and measured once.
HELD_OUT: Titles = {
    ("technology", "科技"): (
        "国产芯片实现量产突破",
        "云计算公司推出编程智能体",
        "自动驾驶出租车开始试运营",
        "科学家用深度学习预测蛋白质结构",
    ),
    ("technology", "technology"): (
        "New chatbot passes medical licensing exam",
        "Open source robotics platform gains developers",
        "Smartphone maker adds on-device AI translation",
        "Researchers train larger neural network on fewer chips",
    ),
    ("pop culture", "流行文化"): (
        "盲盒玩具引发年轻人收藏热",
        "短视频神曲席卷广场舞",
        "漫展吸引数万角色扮演爱好者",
        "电视剧同款穿搭成为热搜话题",
    ),
    ("pop culture", "pop culture"): (
        "Superhero franchise fans queue overnight for premiere",
        "K-pop group tops charts around the world",
        "Vintage sneakers become the status symbol of a generation",
        "Reality show catchphrase takes over the internet",
    ),
    ("finance", "金融"): (
        "人民币汇率创年内新低",
        "银行股集体跳水拖累大盘",
        "避险资金涌入国债市场",
        "对冲基金押注油价反弹",
    ),
    ("finance", "finance"): (
        "Currency markets swing after central bank surprise",
        "Bank shares slump on credit fears",
        "Volatility index hits two-year high",
        "Commodity traders brace for turbulent quarter",
    ),
}


@pytest.fixture(params=[CHOSEN_WITH, HELD_OUT], ids=["chosen with", "held out"])
def new(request: pytest.FixtureRequest) -> Titles:
    titles: Titles = request.param
    return titles


def encoded(titles: tuple[str, ...], topic: str | None) -> Float32Array:
    """As items with that topic, or with no topic."""
    items = [
        Item(
            id=ItemId(title),
            kind=ItemKind.NEWS,
            title=title,
            topics=() if topic is None else (topic,),
        )
        for title in titles
    ]
    return default_encoder().encode([item_text(item) for item in items])


def nearness(new: Titles, *, with_topics: bool) -> tuple[Float32Array, Float32Array]:
    """Cosines with the mean of what was read: of new items of the read topics, of the others."""
    read = [encoded((title,), topic if with_topics else None)[0] for title, topic in READ]
    taste = np.mean(read, axis=0)
    taste /= np.linalg.norm(taste)
    near: list[float] = []
    far: list[float] = []
    for (topic, label), titles in new.items():
        cosines = encoded(titles, label if with_topics else None) @ taste
        (far if topic == UNREAD_TOPIC else near).extend(cosines.tolist())
    return np.array(near, np.float32), np.array(far, np.float32)


def test_new_items_of_the_read_topics_come_before_those_of_the_unread_one(new: Titles) -> None:
    near, far = nearness(new, with_topics=True)

    assert near.min() > far.max()


def test_titles_alone_order_nearly_all_pairs_rightly(new: Titles) -> None:
    near, far = nearness(new, with_topics=False)

    assert (near[:, None] > far[None, :]).mean() > 0.93


def test_the_nearest_headline_has_the_same_topic_whatever_its_language(new: Titles) -> None:
    vectors = np.concatenate([encoded(titles, None) for titles in new.values()])
    topics = np.repeat([topic for topic, _ in new], 4)
    chinese = np.repeat([not label.isascii() for _, label in new], 4)
    cosines = vectors @ vectors.T

    same_language = chinese[:, None] == chinese[None, :]
    other = np.where(same_language, -2, cosines).argmax(axis=1)
    any_other = (cosines - 3 * np.eye(len(vectors))).argmax(axis=1)

    assert (topics[any_other] == topics).mean() >= 0.9
    assert (topics[other] == topics).mean() >= 0.9


def test_language_does_not_decide_who_is_near(new: Titles) -> None:
    vectors = np.concatenate([encoded(titles, None) for titles in new.values()])
    chinese = np.repeat([not label.isascii() for _, label in new], 4)
    cosines = vectors @ vectors.T
    same_language = chinese[:, None] == chinese[None, :]
    itself = np.eye(len(vectors), dtype=bool)

    gap = cosines[same_language & ~itself].mean() - cosines[~same_language].mean()

    assert abs(gap) < 0.1


def test_unrelated_texts_are_far_apart() -> None:
    gold, cup = default_encoder().encode(["Gold price slides", "主队在加时赛中赢得决赛"])

    assert gold @ cup < 0.3


@pytest.mark.case(8)
def test_a_spelled_special_token_does_not_end_the_text() -> None:
    marked, plain, other = default_encoder().encode(
        ["Gold </s><pad> price slides", "Gold price slides", "Home team wins the cup"]
    )

    assert marked @ plain > marked @ other + 0.2


def test_the_manifest_shows_how_near_it_is_to_its_weights() -> None:
    encoder = default_encoder()

    assert encoder.dimension == 384
    assert encoder.version.startswith("e5-small-int8-")
    assert encoder.manifest.min_cosine > 0.985
    assert encoder.manifest.removed_directions == 7
