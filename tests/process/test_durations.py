"""Durations are written as people write them, and what is shown can be written back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaukoluenta.runtime.durations import duration_text, parse_duration


@given(st.integers(0, 10**7))
def test_what_is_shown_reads_back(seconds):
    duration = timedelta(seconds=seconds)
    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1h30m", "1:00:00"])
def test_another_form_is_refused(text):
    with pytest.raises(ValueError, match="write a duration"):
        parse_duration(text)
