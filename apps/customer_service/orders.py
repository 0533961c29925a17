"""Recognises what is no question: orders to the bot ("ignore your rules", "pretend you are..."), greetings and thanks.

Orders are narrow on purpose: a bot that quotes and proves is safe without it, and a customer who asks whether to ignore
a warning must be answered. Knows text only.
"""

from __future__ import annotations

import re

_OWN = r"(?:instructions?|rules?|prompts?|passages?|guidelines?|restrictions?|documents?|sources?|context)\b"
_FILLER = (
    r"(?:(?:all|any|every|of|the|your|these|those|previous|prior|above|earlier|preceding|other|original|system|safety)"
    r"\s+){1,5}"
)
_EARLIER = r"(?:all\s+(?:of\s+)?)?(?:your|the\s+(?:previous|above|earlier)|previous|prior)\s+"

_ENGLISH = (
    rf"\b(?:ignore|disregard)\s+{_FILLER}{_OWN}",
    rf"\b(?:forget|override|bypass)\s+{_EARLIER}{_OWN}",
    r"\b(?:ignore|disregard|forget)\s+(?:everything|all)\s+(?:above|before|(?:that\s+)?you)",
    r"\bsystem prompt\b",
    r"\byour\s+(?:(?:hidden|initial|secret|internal|original|system)\s+)+(?:instructions?|message|rules)",
    r"\brepeat\s+(?:everything|all|the\s+(?:text|words))\s+above\b",
    r"\byou(?:'re| are)\s+(?:now\s+)?in\s+developer mode",
    r"\byou are now (?:an?|the|my|free|no longer|dan)\b",
    r"\bpretend\s+(?:that\s+)?(?:you\b|to be\b)",
    r"(?:^|[.!?;,:]\s*|\b(?:please|now|then)\s+)act\s+(?:as|like)\s+(?:if|though|an?|my|the)\b",
)
_CHINESE = (
    r"(?:忽略|无视|忘记|忘掉|不要管|跳过|绕过|不理会)(?:掉|了)?"
    r"(?:你|您|的|之前|以上|上面|上述|前面|先前|所有|全部|一切|任何|这些|系统|原来)+"
    r"(?:指令|指示|规则|提示|设定|限制|内容|文档|资料|要求)",
    r"(?:忽略|无视)(?:文档|资料|规则|指令)",
    r"系统提示词|[你您]的(?:系统)?提示词?|[你您]的(?:隐藏|内部|初始)(?:指令|规则)",
    r"(?:假装|假设)[你您]是|从现在(?:起|开始)[，,]?[你您](?:是|要|必须)|(?:请|你|您|来|^)扮演",
)
_ORDERS = re.compile("|".join((*_ENGLISH, *_CHINESE)), re.IGNORECASE)
_GREETING = re.compile(
    r"(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening)|greetings"
    r"|你好|您好|嗨|哈喽|早上好|上午好|下午好|晚上好|在吗|有人吗)"
    r"(?: (?:there|all|everyone|bot|team))?[啊呀呢]?",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"(?:(?:ok|okay|great|perfect|好的|好|嗯)[ ,，]*)?"
    r"(?:thanks|thank you|thx|cheers|谢谢|多谢|感谢|谢了)(?: (?:a lot|so much|very much|for your help)|您|你|啦|了)*",
    re.IGNORECASE,
)
_SIGNS = " \t\n.,!?~。，！？～…😊👍🙏"


def courtesy_in(text: str) -> str | None:
    """Which it is, "greeting" or "thanks" where the message is no more than that, else None."""
    bare = text.strip(_SIGNS)
    if _GREETING.fullmatch(bare):
        return "greeting"
    return "thanks" if _THANKS.fullmatch(bare) else None


def is_order(text: str) -> bool:
    """Whether the text tells the bot to change what it is or does."""
    return bool(_ORDERS.search(text))
