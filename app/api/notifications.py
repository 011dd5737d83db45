"""The notifications: who is told what, and what became of each message."""

from flask import current_app, url_for

from ..access.authorize import caller
from ..models import DELIVERIES, Row
from ..notify import rules
from ..notify.sending import send_trial
from ..schemas import notifications as schemas
from .blueprint import Blueprint
from .responses import ROW_ID, page

blp = Blueprint("notifications", __name__, url_prefix="/api", description=__doc__)

UNKNOWN = ("notification_not_found",)
RULE = f"/notifications/<{ROW_ID}:notification_id>"


@blp.get("/notifications")
@blp.response(200, schemas.NotificationListSchema, example=schemas.EXAMPLE_LIST)
def list_notifications() -> Row:
    """List the rules of who is told what, oldest first"""
    found = rules.list_rules()
    return {"notifications": found, "count": len(found)}


@blp.post("/notifications")
@blp.arguments(schemas.NotificationCreateSchema, example=schemas.EXAMPLE_CREATE)
@blp.response(
    201,
    schemas.NotificationCreatedSchema,
    example=schemas.EXAMPLE_CREATED,
    problems=("notify_not_installed",),
)
def create_notification(fields: Row) -> tuple[Row, dict[str, str]]:
    """Create a rule; the response shows the secret that the service has made, only this once"""
    rule = rules.create_rule(fields, caller())
    location = url_for("notifications.get_notification", notification_id=rule["id"])
    return rule, {"Location": location}


@blp.get(RULE)
@blp.response(200, schemas.NotificationSchema, example=schemas.EXAMPLE_RULE, problems=UNKNOWN)
def get_notification(notification_id: int) -> Row:
    """Get a rule by its id"""
    return rules.get_rule(notification_id)


@blp.patch(RULE)
@blp.arguments(schemas.NotificationUpdateSchema, example=schemas.EXAMPLE_UPDATE)
@blp.response(
    200,
    schemas.NotificationSchema,
    example=schemas.EXAMPLE_RULE | schemas.EXAMPLE_UPDATE,
    problems=(*UNKNOWN, "notify_not_installed"),
)
def update_notification(fields: Row, notification_id: int) -> Row:
    """Change a rule: only the given fields; a url as it was shown stays as it is stored"""
    return rules.update_rule(notification_id, fields, caller())


@blp.delete(RULE)
@blp.response(204, problems=UNKNOWN)
def delete_notification(notification_id: int) -> tuple[None, int]:
    """Delete a rule and its deliveries"""
    rules.delete_rule(notification_id, caller())
    return None, 204


@blp.post(f"{RULE}/test")
@blp.response(200, schemas.TrialSchema, example=schemas.EXAMPLE_TRIAL, problems=UNKNOWN)
def test_notification(notification_id: int) -> Row:
    """Send a test message now, whatever the rule says; answers within 15 seconds"""
    return send_trial(notification_id, current_app.extensions["deliveries"].send)


@blp.get("/deliveries")
@blp.arguments(schemas.DeliveryQuerySchema, location="query")
@blp.response(200, schemas.DeliveryListSchema, example=schemas.EXAMPLE_DELIVERIES)
def list_deliveries(query: Row) -> Row:
    """List the messages and what became of each, newest first"""
    return page(DELIVERIES, "deliveries", query)
