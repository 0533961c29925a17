"""The real server over the real models: `triptych serve` as a process of its own, with the official client."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.real_server import Server, command, running

pytestmark = pytest.mark.models

SAMPLES = Path(__file__).parents[2] / "apps" / "customer_service" / "samples" / "documents"
CHOSEN = (
    "en/returns-policy.md",
    "en/membership-tiers.md",
    "en/warranty-home-batteries.md",
    "zh/purifier-a5-manual.md",
    "zh/warranty-mainland.md",
)
READY_SECONDS, RESIDENT_MB = 8.0, 1500.0
"""Of the whole suite: the bot, and the monitor with models of its own beside."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, models_home: Path) -> Path:
    home = tmp_path_factory.mktemp("triptych")
    (home / "models").symlink_to(models_home / "models")
    done = command(home, "customer-service", "ingest", "--json", *(str(SAMPLES / name) for name in CHOSEN))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [file["status"] for file in report["files"]] == ["added"] * len(CHOSEN)
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with running(home) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def chat(client: openai.OpenAI, text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    reply = client.chat.completions.create(
        model="customer-service", messages=[{"role": "user", "content": text}], extra_body=more
    )
    return reply.choices[0].message.content or "", reply.model_extra or {}


def test_the_server_is_ready_soon_small_and_without_torch(server: Server, client: openai.OpenAI) -> None:
    """Every model has answered before memory is looked at. Time counts where nothing else runs: see the benchmarks."""
    chat(client, "How long do I have to return a product?")
    chat(client, "净化器A5的滤芯可以水洗吗？")
    chat(client, "How long do I have to return a product?", compose=True)
    assert "libtorch" not in server.libraries
    assert server.resident_mb <= RESIDENT_MB
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert server.ready_seconds <= READY_SECONDS * busy
    print(f"ready {server.ready_seconds:.1f} s at load {busy:.1f}, resident {server.resident_mb:.0f} MB")


def test_an_english_answer_is_quoted_with_its_place(server: Server, client: openai.OpenAI) -> None:
    text, more = chat(client, "How long do Gold members have to return a product?")
    assert more["action"] == "quote"
    assert "60 days" in text
    for citation in more["citations"]:
        document = server.get(f"/customer-service/documents/{citation['document_id']}")
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"]


def test_a_chinese_question_is_answered_in_chinese(client: openai.OpenAI) -> None:
    text, more = chat(client, "净化器A5的滤芯可以水洗吗？")
    assert more["action"] == "quote"
    assert more["language"] == "zh"
    assert "水洗" in text


def test_an_english_question_finds_a_chinese_document(client: openai.OpenAI) -> None:
    text, more = chat(client, "Can the filter of the A5 air purifier be washed with water?")
    assert more["action"] == "quote"
    assert any("purifier" in c["document_id"] for c in more["citations"])
    assert "another language" in text


def test_what_the_documents_do_not_say_is_declined(client: openai.OpenAI) -> None:
    for question in ("Who is the president of France?", "How do I bake bread?", "明天北京的天气怎么样？"):
        _, more = chat(client, question)
        assert more["action"] == "decline", question


def test_prose_is_proved_or_not_said(server: Server, client: openai.OpenAI) -> None:
    text, more = chat(client, "How long do Gold members have to return a product?", compose=True)
    assert more["action"] in {"answer", "quote"}
    sources = "".join(server.get(f"/customer-service/documents/{c['document_id']}")["text"] for c in more["citations"])
    said = re.sub(r"\[\d+\]", "", text)
    assert all(number in sources for number in re.findall(r"\d+", said))


def test_a_stream_says_what_a_whole_answer_says(client: openai.OpenAI) -> None:
    question = "How long is the warranty of the Cell 10?"
    whole, _ = chat(client, question)
    chunks = list(
        client.chat.completions.create(
            model="customer-service",
            messages=[{"role": "user", "content": question}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole
    assert chunks[-1].usage and chunks[-1].usage.total_tokens > 0
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_embeddings_are_those_of_the_encoders(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "customer-service"
    texts = ["refund", "money back", "a purple elephant"]
    for name in names[1:3]:
        rows = np.array([row.embedding for row in client.embeddings.create(model=name, input=texts).data])
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
        assert rows[0] @ rows[1] > rows[0] @ rows[2]


def test_documents_put_over_http_are_answered_from_at_once(server: Server, client: openai.OpenAI) -> None:
    body = json.dumps({"title": "Zeppelin plan", "text": "The Zeppelin plan costs 77 euros a month."}).encode()
    request = urllib.request.Request(
        f"{server.url}/customer-service/documents", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        id_ = json.load(reply)["id"]
    assert "77 euros" in chat(client, "What does the Zeppelin plan cost?")[0]
    address = f"{server.url}/customer-service/documents/{id_}"
    urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30).close()
    assert "77 euros" not in chat(client, "What does the Zeppelin plan cost?")[0]


def test_what_a_command_ingests_is_answered_from_within_seconds(
    home: Path, server: Server, client: openai.OpenAI, tmp_path: Path
) -> None:
    (tmp_path / "airship.md").write_text("# Airship plan\n\nThe Airship plan costs 88 euros a month.\n")
    done = command(home, "customer-service", "ingest", str(tmp_path / "airship.md"))
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 20
    while "88 euros" not in chat(client, "What does the Airship plan cost?")[0]:
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_conversation_goes_on_after_a_stop_or_a_kill(home: Path, how: signal.Signals) -> None:
    server = Server(home)
    server.start()
    try:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
            _, more = chat(client, "How long do Silver members have to return a product?", conversation_id="new")
            id_ = more["conversation_id"]
            assert server.stop(how) in {0, -how}
            server.start()
            text, more = chat(client, "And Gold members?", conversation_id=id_)
        assert "60 days" in text
        kept = server.get(f"/customer-service/conversations/{id_}")
        assert [m["role"] for m in kept["messages"]] == ["user", "assistant"] * 2
    finally:
        if server.process.poll() is None:
            server.stop()


@pytest.mark.browser
def test_the_page_shows_answer_quote_and_refusal_of_the_real_bot(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/customer-service/")
    finished = page.locator(".answered:not([aria-busy])")
    for number, (question, words) in enumerate(
        (
            ("How long do Gold members have to return a product?", "60 days"),
            ("净化器A5的滤芯可以水洗吗？", "水洗"),
            ("Who is the president of France?", "can't answer"),
        ),
        start=1,
    ):
        page.locator("textarea").fill(question)
        page.keyboard.press("Enter")
        expect(finished).to_have_count(number)
        expect(finished.last).to_contain_text(words)
        markers = finished.last.locator("button.marker")
        if "can't" in words:
            expect(markers).to_have_count(0)
            continue
        markers.first.click()
        expect(page.locator(".passage mark")).to_be_in_viewport()
        expect(page.locator(".passage mark")).to_contain_text(words)
        page.keyboard.press("Escape")
