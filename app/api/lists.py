"""How is a page of a list that grows answered?"""

from app.listings import Listing
from app.models import Row

# Werkzeug turns a number that SQLite could not hold into 404 by itself.
ROW_ID = "int(max=9223372036854775807)"


def page(listing: Listing, key: str, query: Row) -> Row:
    """``key`` → the rows that match, how many do (unless not asked for), the next cursor."""
    paging = {name: query.pop(name) for name in ("limit", "cursor", "count")}
    rows, next_cursor = listing.page(query, paging["limit"], paging["cursor"])
    count = {"count": listing.count(query)} if paging["count"] else {}
    return {key: rows, **count, "next_cursor": next_cursor}
