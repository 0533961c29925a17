"""Where a chat answer ends, whatever the decoder thinks.

Knows the marks of a decoder that begins to play the other side; how they are found in a stream is in
`core.backends.stopping`.
"""

from __future__ import annotations

from core.backends.stopping import StopMatcher

__all__ = ["ROLE_STOPS", "StopMatcher"]

ROLE_STOPS = (
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<end_of_turn>",
    "</s>",
    "\nUser:",
    "\nuser:",
    "\nHuman:",
    "\nAssistant:",
    "\nassistant\n",
    "\nuser\n",
    "\nsystem\n",
    "\n用户：",
    "\n用户:",
    "\n助手：",
    "\n助手:",
)
"""Stop strings for any chat: where one stands, the decoder has begun to play the other side."""
