"""The worked example that the system was asked for: two headlines read, one not, in Chinese.

New items of the topics that were read come before those of the topic that was not, in Chinese
and in English, with the default encoder and nothing learned.
"""

import pytest

from clickwise.testing.encoder import default_encoder
from tests.site import Site

TECH, CULTURE, FINANCE = "科技", "文化", "财经"
NEWS = {
    "tech-zh": "新一代大语言模型发布，推理能力大幅提升",
    "tech-zh-2": "机器人公司展示会做家务的人工智能助手",
    "tech-en": "Chip maker unveils processor built for artificial intelligence",
    "tech-en-2": "New AI assistant from software company writes code",
    "culture-zh": "年轻人为何爱上国风音乐和汉服",
    "culture-zh-2": "短视频带火的舞蹈成为新的流行文化",
    "culture-en": "How a pop song became a worldwide cultural trend",
    "culture-en-2": "Fans turn film characters into a pop culture phenomenon",
    "finance-zh": "股市大幅下跌，投资者情绪紧张",
    "finance-zh-2": "央行降息，债券市场出现波动",
    "finance-en": "Stock markets fall sharply as investors sell shares",
    "finance-en-2": "Currency swings unsettle financial markets",
}


@pytest.fixture(scope="module")
def encoder():
    return default_encoder()


def headlines():
    """The three headlines of the example and a dozen new ones."""
    labels = {"tech": TECH, "culture": CULTURE, "finance": FINANCE}
    read = [
        {"id": "read-tech", "title": "科技公司发布新人工智能", "topics": [TECH]},
        {"id": "unread-finance", "title": "金融市场出现大幅波动", "topics": [FINANCE]},
        {"id": "read-culture", "title": "流行文化现象", "topics": [CULTURE]},
    ]
    new = [
        {"id": name, "title": title, "topics": [labels[name.split("-")[0]]]}
        for name, title in NEWS.items()
    ]
    return [*read, *new]


def test_new_items_of_the_topics_read_come_first(tmp_path, encoder):
    site = Site(tmp_path, encoder=encoder)
    site.put(*headlines())

    site.did("reader", "read-tech")
    site.did("reader", "read-culture")
    answer = site.ask("reader", limit=20)

    order = [one.item for one in answer.items]
    finance = [place for place, item in enumerate(order) if "finance" in item]
    others = [place for place, item in enumerate(order) if "finance" not in item]
    assert len(order) == 13
    assert max(others) < min(finance), order
    assert not {"read-tech", "read-culture"} & set(order)
    site.state.close()
