"""The audit log: who changed what. Nothing here changes it."""

from ..models import AUDIT, Row
from ..schemas import audit as schemas
from .blueprint import Blueprint
from .responses import ROW_ID, page

blp = Blueprint("audit", __name__, url_prefix="/api/audit", description=__doc__)

UNKNOWN = ("audit_entry_not_found",)


@blp.get("")
@blp.arguments(schemas.AuditQuerySchema, location="query")
@blp.response(200, schemas.AuditListSchema, example=schemas.EXAMPLE_LIST)
def list_entries(query: Row) -> Row:
    """List the entries that match every filter, newest first"""
    return page(AUDIT, "entries", query)


@blp.get(f"/<{ROW_ID}:entry_id>")
@blp.response(200, schemas.AuditEntrySchema, example=schemas.EXAMPLE_ENTRY, problems=UNKNOWN)
def get_entry(entry_id: int) -> Row:
    """Get an entry by its id"""
    return AUDIT.one(entry_id)
