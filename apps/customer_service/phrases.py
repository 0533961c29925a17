"""The bot's own sentences, in English and Chinese. Nothing else it says is its own."""

from __future__ import annotations

from collections.abc import Mapping

_PHRASES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "decline": "I can't answer that from the documents I have.",
        "nothing": "There are no documents to answer from yet.",
        "unsafe": "I only answer questions from the company's documents, so I can't do that.",
        "closest": "The closest thing I have is “{titles}”.",
        "next": "You could ask in other words, or contact the support team.",
        "greeting": "Hello! Ask me a question, and I'll look for the answer in the company's documents.",
        "thanks": "You're welcome. Is there anything else you would like to know?",
        "across": "The documents say this in another language:",
    },
    "zh": {
        "decline": "现有文档中没有这个问题的答案，我无法回答。",
        "nothing": "目前还没有可供查询的文档。",
        "unsafe": "我只根据公司的文档回答问题，无法执行这个要求。",
        "closest": "与之最接近的文档是《{titles}》。",
        "next": "您可以换一种说法再问，或联系客服人员。",
        "greeting": "您好！请直接提问，我会在公司的文档中为您查找答案。",
        "thanks": "不客气。还有什么想了解的吗？",
        "across": "相关内容只有其他语言的文档，原文如下：",
    },
}


def say(key: str, language: str, **values: str) -> str:
    """The phrase in Chinese for "zh", in English otherwise."""
    return _PHRASES["zh" if language == "zh" else "en"][key].format(**values)
