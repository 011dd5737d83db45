"""How are rules, which say who is told of what, created, changed, shown and deleted?"""

from ..db import writer
from ..models import Camera, ConflictError, Notification, Row
from ..services import audit
from ..services.audit import Caller
from ..services.events import NO_CAMERA
from . import apprise_sender, signing, urls

RESOURCE = "notification"
WHOLE_URL = f"Give the whole URL: {urls.HIDDEN} stands for what is not shown."
UNKNOWN_URL = "Apprise cannot send to this URL; its documentation says what each service needs."
NOT_CHECKED = "This URL could not be checked in time; try again."
# What an audit entry says of a secret that was changed.
CHANGED_SECRET = {"old": urls.HIDDEN, "new": urls.HIDDEN}


def list_rules() -> list[Row]:
    """All rules as they are shown, oldest first."""
    return [without_secrets(rule) for rule in Notification.listing()]


def get_rule(rule_id: int) -> Row:
    """The rule as it is shown; raises `models.NotFound`."""
    return without_secrets(Notification.one(rule_id))


def without_secrets(rule: Row) -> Row:
    """A rule without its secrets."""
    shown = {name: value for name, value in rule.items() if name != "secret"}
    return shown | {"url": urls.redact(rule["url"])}


def create_rule(fields: Row, by: Caller) -> Row:
    """Create a rule and return it, with its secret if none was given; raises `ConflictError`."""
    made = {} if "secret" in fields else {"secret": signing.make_secret()}
    _check_url(fields["url"])

    def create() -> Row:
        _check_cameras(fields)
        rule_id = Notification.insert_row(Notification.stored(fields | made))
        rule = get_rule(rule_id)
        _record("notification_created", by, rule)
        return rule

    return writer.run(create) | made


def update_rule(rule_id: int, fields: Row, by: Caller) -> Row:
    """Set the fields that differ and return the rule.

    A ``url`` as it is shown stands for the one that is stored. Raises `models.NotFound` and
    `ConflictError`.
    """
    if "url" in fields and fields["url"] != get_rule(rule_id)["url"]:
        _check_url(fields["url"])

    def update() -> Row:
        rule = Notification.one(rule_id)
        new = dict(fields)
        if new.get("url") == urls.redact(rule["url"]):
            del new["url"]
        changes = audit.differences(rule, new)
        if not changes:
            return without_secrets(rule)
        _check_cameras({name: new[name] for name in changes})
        Notification.change(rule_id, Notification.stored({name: new[name] for name in changes}))
        audit.record("notification_updated", by, RESOURCE, rule | new, {"changes": _safe(changes)})
        return get_rule(rule_id)

    return writer.run(update)


def delete_rule(rule_id: int, by: Caller) -> None:
    """Delete a rule and its deliveries; raises `models.NotFound`."""

    def delete() -> None:
        rule = get_rule(rule_id)
        Notification.remove(rule_id)
        _record("notification_deleted", by, rule)

    writer.run(delete, alone=True)


def forget_camera(camera_id: str) -> None:
    """Take a deleted camera out of all rules; call it inside the change."""
    for rule in Notification.listing():
        if camera_id in (rule["cameras"] or ()):
            cameras = [each for each in rule["cameras"] if each != camera_id]
            Notification.change(rule["id"], Notification.stored({"cameras": cameras}))


def _record(action: str, by: Caller, rule: Row) -> None:
    """Write an audit entry with all that is shown of a rule."""
    details = {name: value for name, value in rule.items() if name not in ("id", "name")}
    audit.record(action, by, RESOURCE, rule, details)


def _safe(changes: Row) -> Row:
    """The changes as an audit entry shows them."""
    safe = dict(changes)
    if "url" in safe:
        safe["url"] = {side: urls.redact(url) for side, url in safe["url"].items()}
    if "secret" in safe:
        safe["secret"] = CHANGED_SECRET
    return safe


def _check_url(url: str) -> None:
    """Raise `ConflictError` for a URL that names no receiver, and `NotInstalled`."""
    try:
        if urls.HIDDEN in url:
            raise urls.BadUrl(WHOLE_URL)
        if urls.is_webhook(url):
            urls.webhook_parts(url)
        elif not apprise_sender.can_send_to(url):
            raise urls.BadUrl(UNKNOWN_URL)
    except TimeoutError:
        raise ConflictError({"url": [NOT_CHECKED]}) from None
    except urls.BadUrl as error:
        raise ConflictError({"url": [str(error)]}) from None


def _check_cameras(fields: Row) -> None:
    """Raise `ConflictError` for each camera that does not exist."""
    errors = {
        f"cameras.{place}": [NO_CAMERA]
        for place, camera_id in enumerate(fields.get("cameras") or ())
        if Camera.find(id=camera_id) is None
    }
    if errors:
        raise ConflictError(errors)
