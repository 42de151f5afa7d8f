"""Every reason that gateway and collector give has words in every language; others stand as they came."""

import errno
import os
import re

import pytest

from dashboards.languages import CODES, language
from dashboards.reasons import reason_key
from gateway.budget import why_spared
from gateway.delivery.outbox import LOST, TOO_LARGE
from gateway.lines.modbus_master import SILENT
from gateway.modbus.frames import Question
from gateway.modbus.reasons import refused
from gateway.poll import LONGEST_REASON, NOT_ASKED, NOT_IN_TIME, NOT_RUNNING, TOO_LATE
from gateway.settings import MeterSettings
from tests.operators.reasons_made import NO_SLOT_MEETS, SAMPLE, reasons_made

REFUSED = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.ECONNRESET}
MADE = reasons_made() + [f"line down: {os.strerror(number)}" for number in sorted(REFUSED)]


def spared(reads: int) -> str:
    return why_spared(MeterSettings(id="ITW-30250009", address=1, reads_per_day=reads))


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{3,}", text.casefold()))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("said", MADE)
def test_every_reason_that_can_be_given_is_said_in_every_language(said, code):
    known = reason_key(said)
    assert known, "dashboards/reasons.py does not know it"
    text, own = language(code).reason(said), words(" ".join(language(code).words.values()))
    assert "{" not in text
    assert words(text) <= own, "English that the gateway speaks is left in it"


def test_the_search_finds_what_is_said_in_each_way_of_saying_it():
    """As a constant, by a function, of an error, through two files, in a table."""
    said_otherwise = {"line down: connection closed", "the telegram is encrypted", "Unit 7 is busy."}
    constants = {NOT_RUNNING, NOT_IN_TIME, TOO_LATE, NOT_ASKED, LOST, TOO_LARGE, SILENT}
    assert constants | said_otherwise | {spared(int(SAMPLE))} <= set(MADE)


def test_what_the_search_leaves_out_is_still_there_to_be_left_out():
    listed = {"BadKey", "BadAddress", "BadLink", "DoesNotFit"}
    assert listed < NO_SLOT_MEETS.keys()
    assert not [said for said in MADE if "baud" in said]


SAID = [
    # what the gateway said                                  what is read in Finnish
    ("no answer",                                            "Mittari ei vastannut"),
    (NOT_RUNNING,                                            "Yhdyskäytävä ei ollut käynnissä"),
    (NOT_IN_TIME,                                            "Yhdyskäytävä ei ehtinyt lukea ajoissa"),
    (NOT_ASKED,                                              "Yhdyskäytävä ei ehtinyt lukea ajoissa"),
    (TOO_LATE,                                               "Vastaus tuli lukuikkunan jälkeen"),
    (spared(4),       "Jätetty väliin pariston säästämiseksi (luentoja vuorokaudessa enintään 4)"),
    ("KAM-00000009 answers instead",                         "Toinen mittari vastasi: KAM-00000009"),
    ("a meter with serial number 69183622 answers instead",  "Toinen mittari vastasi: 69183622"),
    ("Address 17: only noise in 1 attempt.",                 "Vastaus oli pelkkää häiriötä"),
    ("The readout broke off after 2 telegrams. Address 17: no answer in 3 attempts.",
     "Luenta katkesi, kun sanomia oli tullut 2. Mittari ei vastannut"),
    ("The readout broke off after 2 telegrams. Mercury fell.",
     "Luenta katkesi, kun sanomia oli tullut 2. Mercury fell."),
    ("Unit 5 gave no answer that fits: unit 6 answered, not 5.",
     "Vastaus ei sopinut kysymykseen: laite 6 vastasi, ei 5"),
    (refused(Question(5, 3, 100, 4), 2).problem,             "Laitteella ei ole rekistereitä 100–103"),
    ("the meter reports an application error: application_busy",
     "Mittari ilmoittaa sovellusvirheestä: application_busy"),
    ("flow_temperature is no number.",                       "Arvo ei ole luku: Menolämpötila"),
    ("energy_tariff_1 is no number.",                        "Arvo ei ole luku: energy_tariff_1"),
    ("line down: Connection refused",                        "Väylään ei saatu yhteyttä: yhteys torjuttiin"),
    ("line down: [Errno 2] could not open port /dev/ttyUSB0",
     "Väylään ei saatu yhteyttä: [Errno 2] could not open port /dev/ttyUSB0"),
    ("not stored: The outbox has no room left.",
     "Yhdyskäytävä ei saanut lukemaa levylle: tila on lopussa"),
    ("internal error: KeyError",                             "Ohjelmavirhe yhdyskäytävässä: KeyError"),
    (None,                                                   "Yhdyskäytävältä ei ole tietoa"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "text"), SAID)
def test_a_reason_is_told_with_what_it_names(said, text):
    assert language("fi").reason(said) == text


UNKNOWN = [
    "the moon {was} full",
    "there is no answer to that",
    "not asked: it allows some reads a day",
    "no answer\nthe gateway was not running",
    "",
]


@pytest.mark.parametrize("said", UNKNOWN)
@pytest.mark.parametrize("code", CODES)
def test_what_is_not_known_whole_stands_as_it_came(said, code):
    assert language(code).reason(said) == said


CUT = [
    # a reason that quotes at length           how its text begins
    ("its registers do not show their layout: ", "Registren visar inte sin ordning: function 3, "),
    ("none of its registers can be read: ", "Inget av registren kan tolkas: function 3, "),
    ("The readout broke off after 2 telegrams. ", "Avläsningen avbröts efter telegram nummer 2. function "),
]


@pytest.mark.parametrize(("start", "text"), CUT)
def test_a_reason_that_was_cut_for_its_length_is_still_known(start, text):
    said = (start + "function 3, " * LONGEST_REASON)[:LONGEST_REASON]
    assert language("sv").reason(said).startswith(text)
