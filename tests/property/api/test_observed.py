"""Text that a user's process may have written."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.api.observed import clean_text


@given(st.text(max_size=3000), st.integers(1, 1024))
def test_cleaned_text_is_short_printable_and_the_end_of_what_was_said(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit)
    assert len(cleaned) <= limit
    assert all(char == "\n" or char.isprintable() for char in cleaned)
    assert clean_text(cleaned, limit) == cleaned.strip()
    assert cleaned in "".join(char for char in text if char == "\n" or char.isprintable())
