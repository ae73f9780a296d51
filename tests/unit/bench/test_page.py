import pytest
from tests.bench.page import with_part

PAGE = "# A\n<!-- a: begin -->\nold\n<!-- a: end -->\nbetween\n<!-- b: begin -->\nkept\n<!-- b: end -->\n"


def test_only_the_named_part_is_replaced() -> None:
    assert with_part(PAGE, "a", "new \\1\n") == PAGE.replace("old", "new \\1")


def test_a_page_that_was_written_is_the_same_when_written_again() -> None:
    once = with_part(PAGE, "b", "text")
    assert with_part(once, "b", "text") == once


@pytest.mark.parametrize("page", ["", "<!-- a: end --><!-- a: begin -->", PAGE + "<!-- a: begin -->"])
def test_a_page_without_the_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"expected <!-- a: begin --> and <!-- a: end --> once each"):
        with_part(page, "a", "new")
