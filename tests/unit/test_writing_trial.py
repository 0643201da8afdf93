"""Drafts that are tried: what they are compared with, and a second opinion on what they claim."""

from dataclasses import replace

import pytest

from clickwise.testing.writer import ScriptedWriter
from clickwise.types import ItemId, ItemKind
from clickwise.writing.gate import Field, Source
from clickwise.writing.rouge import rouge
from clickwise.writing.trial import TRIES, Material, Sample, Trial
from clickwise.writing.unfound import unfound
from tests.site import ManualClock
from tests.writing import BODY

SAMPLE = Sample(ItemId("a"), ItemKind.NEWS, Source("Porto gets a tram", BODY, "en"))


def trial(writer, *, material=Material.ITEM):
    return Trial(writer, material=material, clock=ManualClock(), deadline_seconds=5.0)


@pytest.mark.parametrize(
    ("text", "reference", "one", "longest"),
    [
        ("The cat sat.", "the CAT sat", 1.0, 1.0),
        # police killed the gunman / police ended the gunman: 3 of 4 and 4, in order
        ("police ended the gunman", "police killed the gunman", 3 / 4, 3 / 4),
        # the gunman / police / killed: 3 shared of 4 and 4, of which two are in order
        ("the gunman kill police", "police killed the gunman", 3 / 4, 2 / 4),
        # a word counts as often as the other text has it: 2 of 7 and 6
        ("the the the the the the the", "the cat is on the mat", 4 / 13, 4 / 13),
        # characters: 4 shared of 5 and 4
        ("地铁今开通", "地铁开通", 8 / 9, 8 / 9),
        ("nothing", "alike", 0.0, 0.0),
        ("", "", 0.0, 0.0),
    ],
)
def test_rouge_is_what_a_hand_computes(text, reference, one, longest):
    found = rouge(text, reference)

    assert (found.one, found.longest) == pytest.approx((one, longest))


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("It has 1,200 seats", "1.200 lugares"),
        ("It has 1\u202f200 seats", "1200 seats"),
        ("It rose by 2.50 in 2016", "2016: 2,5 more"),
        ("The mayor of Porto's north", "the north of PORTO"),
        ("New trams. \u201cTrams run\u201d", "trams run new"),
    ],
)
def test_what_an_item_says_in_another_form_is_found(text, item):
    found = unfound(text, item)

    assert (found.numbers, found.names) == ((), ())


@pytest.mark.parametrize(
    ("text", "numbers", "names"),
    [
        ("It has 210 seats", ("210",), ()),
        ("It has 2.5 seats", ("2.5",), ()),
        ("The tram of Lisbon runs", (), ("Lisbon",)),
        ("Mayor Ana Costa-Reis spoke", (), ("Ana", "Costa-Reis")),
    ],
)
def test_another_number_or_name_is_not_found(text, numbers, names):
    found = unfound(text, "The tram has 21 and 25 seats and 2100 stops. The mayor spoke.")

    assert (found.numbers, found.names) == (numbers, names)


def test_a_first_word_is_told_apart_from_names():
    found = unfound("Yesterday it ran. Lisbon slept", "it ran, it slept")

    assert found.names == ()
    assert found.openings == ("Yesterday", "Lisbon")


def test_a_draft_that_is_accepted_ends_the_tries():
    writer = ScriptedWriter()

    (draft,) = trial(writer).drafts(SAMPLE, Field.TITLE)

    assert (draft.accepted, draft.reason, draft.attempt) == (True, "", 1)
    assert draft.text.startswith("The city of Porto opened")
    assert draft.completion_tokens > 0
    assert draft.rouge_1 is not None


def test_a_refused_draft_is_tried_again_as_for_readers():
    writer = ScriptedWriter("nonsense")

    drafts = list(trial(writer).drafts(SAMPLE, Field.SUMMARY))

    assert [(one.attempt, one.reason) for one in drafts] == [(1, "nonsense"), (2, "nonsense")]
    assert len(writer.asked) == TRIES
    assert len(set(writer.temperatures)) == TRIES


def test_tries_of_an_earlier_run_count():
    drafts = list(trial(ScriptedWriter("nonsense")).drafts(SAMPLE, Field.TITLE, made=1))

    assert [one.attempt for one in drafts] == [2]


def test_a_title_can_be_withheld_from_the_model_and_not_from_the_gate():
    writer = ScriptedWriter()

    list(trial(writer, material=Material.BODY).drafts(SAMPLE, Field.TITLE))
    list(trial(writer).drafts(SAMPLE, Field.TITLE))

    withheld, shown = ("\n".join(one.content for one in asked) for asked in writer.asked)
    assert SAMPLE.source.title not in withheld
    assert SAMPLE.source.title in shown


def test_a_text_accepted_before_is_not_copied_for_another_item():
    writer = ScriptedWriter()
    of_one = trial(writer)
    (first,) = of_one.drafts(SAMPLE, Field.TITLE)
    other = Sample(ItemId("b"), ItemKind.NEWS, Source("Rye bread", "Rye bread of Porto.", "en"))
    writer.complete = lambda messages, **bounds: replace(
        ScriptedWriter().complete(messages, **bounds), text=first.text
    )

    reasons = [one.reason for one in of_one.drafts(other, Field.SUMMARY)]
    copied = [one.reason for one in of_one.drafts(other, Field.TITLE)]

    assert "copy" not in reasons
    assert copied == ["copy", "copy"]


def test_another_text_of_an_item_is_another_recipe():
    of_one = trial(ScriptedWriter())
    changed = replace(SAMPLE, source=replace(SAMPLE.source, body=f"{BODY} It rained."))

    assert of_one.recipe(SAMPLE, Field.TITLE) != of_one.recipe(changed, Field.TITLE)
    assert of_one.recipe(SAMPLE, Field.TITLE) != of_one.recipe(SAMPLE, Field.SUMMARY)
    assert of_one.recipe(SAMPLE, Field.TITLE) != trial(
        ScriptedWriter(), material=Material.BODY
    ).recipe(SAMPLE, Field.TITLE)
