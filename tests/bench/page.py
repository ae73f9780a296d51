"""Pages of measurements that several benches write, each its own part. Pure."""

import re


def with_part(page: str, name: str, text: str) -> str:
    """The page with this text between its marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Raises ValueError when the page does not have them once, in that order.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"expected {begin} and {end} once each, in this order")
    return re.sub(
        f"{re.escape(begin)}.*{re.escape(end)}",
        lambda _: f"{begin}\n{text.strip()}\n{end}",
        page,
        flags=re.DOTALL,
    )
