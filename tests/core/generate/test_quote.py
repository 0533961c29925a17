from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.generate.quote import Quote, choose
from tests.core.generate.evidence_parts import evidence, passage


def texts(question: str, *passages: str, context: str = "", language: str = "en", limit: int = 3) -> list[str]:
    laid = [passage(t, context=context, language=language, number=i) for i, t in enumerate(passages, 1)]
    return [quote.text for quote in choose(evidence(question, laid, language), limit=limit)]


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "The fee is $50.",
                "Gold pays nothing.",
                "Fees\n\n",
                "- first item\n",
                "- second item\n",
                "1. Hold the dial.\n",
            ),
            *(
                "Plan: Easy; Price: £11.50\n",
                "费用为50元；",
                "金卡免费。",
                "Steps:\n",
                "\n",
                " ",
                "🙂",
                "a" * 400,
                "x. y. z.",
            ),
        ]
    ),
    max_size=10,
).map("".join)


@settings(deadline=None)
@given(
    st.lists(PIECES | st.text(max_size=80), max_size=4),
    st.sampled_from(["What is the fee?", "How do I hold the dial?", "金卡费用多少？", "", "🙂"]),
    st.sampled_from(["en", "zh"]),
    st.integers(1, 5),
)
def test_a_quote_is_a_run_of_the_passages_characters_and_no_two_overlap(
    written: list[str], question: str, language: str, limit: int
) -> None:
    laid = [passage(t, context="Help > Fees", language=language, number=i) for i, t in enumerate(written)]
    quotes = choose(evidence(question, laid, language), limit=limit)
    for quote in quotes:
        assert 0 <= quote.start < quote.end <= len(quote.passage.text)
        assert quote.text == quote.passage.text[quote.start : quote.end] and quote.text.strip() == quote.text
        before = quote.passage.text[: quote.start].rstrip()
        starts = {start for start, _ in quote.passage.spans}
        assert quote.start in starts or (before[-1:] in set("-*•") and len(before) - 1 in starts)
        assert {quote.end} <= {end for _, end in quote.passage.spans}
    for i, one in enumerate(quotes):
        for other in quotes[i + 1 :]:
            assert one.passage is not other.passage or one.end <= other.start or other.end <= one.start
    assert bool(quotes) == any(p.spans for p in laid)


def test_the_sentence_that_answers_is_quoted() -> None:
    found = texts("What is the early closure fee?", "We have stores in many towns.\nThe early closure fee is $50.")
    assert found == ["The early closure fee is $50."]


def test_what_follows_the_sentence_that_names_the_thing_is_quoted_with_it() -> None:
    found = texts("Who followed Leonard Abiola as chair?", "Chair Leonard Abiola retired. Catherine Roux followed him.")
    assert found == ["Chair Leonard Abiola retired. Catherine Roux followed him."]


def test_a_quote_does_not_grow_over_the_end_of_a_line_or_without_measure() -> None:
    assert texts("What is the closure fee?", "The closure fee is $50.\nStores open at nine.") == [
        "The closure fee is $50."
    ]
    assert texts("What is the closure fee?", "The closure fee is high. " + "It has a long story " * 20 + ".") == [
        "The closure fee is high."
    ]


def test_one_sentence_is_one_sentence_where_only_one_is_wanted() -> None:
    assert texts("What is the closure fee?", "The closure fee is $50. It is due at once.", limit=1) == [
        "The closure fee is $50."
    ]


def test_a_bare_heading_is_never_the_answer() -> None:
    found = texts("How do I test Drip?", "Testing Drip\n\nPut a wet finger on the metal points.", context="Drip guide")
    assert found == ["Put a wet finger on the metal points."]
    asked = texts("How long do hubs get updates?", "How long do hubs get updates?\n\nUntil June 2032.", context="Hubs")
    assert asked == ["Until June 2032."]


def test_a_heading_alone_is_better_than_nothing() -> None:
    assert texts("What is governance?", "Governance", context="Report > Governance") == ["Governance"]


def test_a_line_that_opens_a_list_brings_the_list() -> None:
    text = "To reset the hub:\n- pull the plug\n- wait ten seconds\n- plug it in\nThe hub is white."
    assert texts("How do I reset the hub?", text) == [
        "To reset the hub:\n- pull the plug\n- wait ten seconds\n- plug it in"
    ]


def test_a_step_brings_the_other_steps_where_the_question_is_how() -> None:
    text = "1. Hold the dial for pairing.\n2. Wait for white.\n3. Open the app."
    assert texts("How do I start pairing with the dial?", text)[0] == text
    assert texts("What is the dial for pairing?", text)[0] == "1. Hold the dial for pairing."


def test_a_long_list_is_cut() -> None:
    lines = ["Reset the hub so:", *(f"- step {i} of the hub" for i in range(30))]
    assert len(texts("How do I reset the hub?", "\n".join(lines))[0].splitlines()) <= 9


def test_a_row_of_a_table_is_quoted_whole_and_alone() -> None:
    rows = "Plan: Easy; Price: £11.50; Data: 30 GB\nPlan: Roam; Price: £18.00; Data: 40 GB"
    assert texts("What is the price of Easy?", rows, context="Plans") == ["Plan: Easy; Price: £11.50; Data: 30 GB"]


def test_the_row_of_another_number_is_not_taken() -> None:
    rows = "Zone 4; Pocket: blocked data\nZone 3; Pocket: £7 a day"
    assert texts("How much is data in zone 3 on Pocket?", rows, context="Roaming") == ["Zone 3; Pocket: £7 a day"]


def test_a_chinese_sentence_is_quoted_up_to_its_full_stop() -> None:
    text = "2023年7月，首席科学家洛西河离开公司；由尉迟兰接任。公司在南港。"
    found = texts("谁接任了首席科学家？", text, language="zh", limit=1)
    assert found == ["2023年7月，首席科学家洛西河离开公司；由尉迟兰接任。"]


def test_the_kind_of_thing_that_is_asked_for_decides_between_likes() -> None:
    text = "The office in Dublin opens early.\nThe office in Dublin opens at 9:00."
    assert texts("When does the office in Dublin open?", text)[0] == "The office in Dublin opens at 9:00."


def test_nothing_found_gives_no_quotes() -> None:
    assert texts("What is the fee?") == [] == texts("What is the fee?", "")


def test_quotes_come_from_several_passages_where_each_adds_something() -> None:
    found = choose(
        evidence(
            "What do Gold and Silver cost?",
            [passage("Gold members cost: £79.", number=1), passage("Silver members cost: £36.", number=2)],
        )
    )
    assert {q.passage.id for q in found} == {1, 2} and all(isinstance(q, Quote) for q in found)
