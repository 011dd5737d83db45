"""How is a page of a list that grows answered?"""

from werkzeug.routing import IntegerConverter

from ..models import Row
from ..models.keyset import Listing

ROW_ID = "row_id"


class RowId(IntegerConverter):
    """An id that SQLite can hold. Told by its digits, because a number that Werkzeug refuses
    only after the rule has matched is 405 where the rule has other methods.
    """

    # Not \d, which knows the digits of every script.
    regex = "[0-9]{1,18}"


def page(listing: Listing, key: str, query: Row) -> Row:
    """``key`` → the rows that match, how many do (unless not asked for), the next cursor."""
    paging = {name: query.pop(name) for name in ("limit", "cursor", "count")}
    rows, next_cursor = listing.page(query, paging["limit"], paging["cursor"])
    count = {"count": listing.count(query)} if paging["count"] else {}
    return {key: rows, **count, "next_cursor": next_cursor}
