"""Chat templates: messages to the one string that a decoder was trained to continue.

Knows Jinja and the files of a Hugging Face folder; knows nothing of transformers, of tokens or of models. The
template runs in a sandbox. Text that comes from people or from documents can never become a control token: every
special token inside a message is broken by a space before it is rendered.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import ArtifactDamaged, InputError, ModelError
from core.types import Message

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Used where a folder has no template of its own and its tokenizer knows `<|im_start|>`."""

CHATML_TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")


class ChatTemplate:
    """A template with the special tokens that no message may contain.

    :param source: Jinja source in the dialect of Hugging Face tokenizers.
    :param special_tokens: strings that the tokenizer maps to control tokens.
    :param variables: what the template may ask for beside the messages: `bos_token`, `eos_token`...
    :raises ModelError: if the source is not valid Jinja.
    """

    def __init__(
        self,
        source: str = CHATML,
        special_tokens: Iterable[str] = CHATML_TOKENS,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.special_tokens = tuple(sorted({t for t in special_tokens if t.strip()}, key=len, reverse=True))
        self._variables = dict(variables or {})
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        try:
            self._template = environment.from_string(source)
        except TemplateSyntaxError as error:
            raise ModelError(f"the chat template is not valid Jinja, line {error.lineno}: {error.message}") from error

    @classmethod
    def from_folder(cls, folder: Path) -> ChatTemplate:
        """Read `chat_template.jinja` (or the entry in `tokenizer_config.json`) and the special tokens of a folder.

        :raises ModelError: if the folder has neither a chat template nor a ChatML tokenizer.
        """
        config = _json(folder / "tokenizer_config.json")
        tokenizer = _json(folder / "tokenizer.json")
        variables = {key: _content(value) for key, value in config.items() if key.endswith("_token")}
        variables = {key: value for key, value in variables.items() if value}
        tokens = {_content(t) for t in tokenizer.get("added_tokens", []) if _is_control(t)}
        tokens |= {_content(t) for t in config.get("added_tokens_decoder", {}).values() if _is_control(t)}
        tokens |= set(variables.values())
        file = folder / "chat_template.jinja"
        if file.is_file():
            return cls(file.read_text(encoding="utf-8"), tokens, variables)
        source = config.get("chat_template")
        if isinstance(source, list):
            source = next((t["template"] for t in source if t.get("name") == "default"), None)
        if source:
            return cls(source, tokens, variables)
        if "<|im_start|>" in tokens:
            return cls(CHATML, tokens, variables)
        raise ModelError(f"{folder} has no chat template; put one into chat_template.jinja beside its tokenizer")

    def neutralise(self, text: str) -> str:
        """The text without control tokens: `<|im_start|>` becomes `< |im_start|>`, which is plain text to the decoder.

        NUL characters (they end a C string inside tokenizers) and lone surrogates are dropped. Compatibility forms
        that a tokenizer may fold into a control token (full-width brackets) are folded first, if they would become one.
        """
        text = text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")
        folded = unicodedata.normalize("NFKC", text)
        if any(token in folded for token in self.special_tokens):
            text = folded
        while found := [token for token in self.special_tokens if token in text]:
            for token in found:
                text = text.replace(token, f"{token[0]} {token[1:]}" if len(token) > 1 else " ")
        return text

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        """The prompt for these messages, with the opening of the assistant's turn at its end.

        Where a template knows no system role, the system text is put before the first user message.

        :raises InputError: if there is no message, or the template refuses their order.
        """
        if not messages:
            raise InputError("no messages: a chat needs at least one")
        turns = [{"role": m.role, "content": self.neutralise(m.content)} for m in messages]
        orders = [turns]
        if turns[0]["role"] == "system" and len(turns) > 1 and turns[1]["role"] == "user":
            merged = {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
            orders.append([merged, *turns[2:]])
        refusal = ""
        for order in orders:
            try:
                return self._render(order, add_generation_prompt)
            except TemplateError as error:
                refusal = str(error)
        roles = ", ".join(m.role for m in messages)
        raise InputError(f"the model's chat template refuses messages in the order {roles}: {refusal}")

    def _render(self, turns: list[dict[str, str]], add_generation_prompt: bool) -> str:
        return self._template.render(
            messages=turns, add_generation_prompt=add_generation_prompt, tools=None, **self._variables
        )


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ArtifactDamaged(f"{path} is not valid JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _content(token: object) -> str:
    if isinstance(token, Mapping):
        token = token.get("content")
    return token if isinstance(token, str) else ""


def _is_control(token: Mapping[str, Any]) -> bool:
    text = _content(token)
    marked = text.startswith(("<", "[")) and text.endswith((">", "]"))
    return bool(text.strip()) and (bool(token.get("special")) or marked)
