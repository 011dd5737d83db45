"""What is stored? Cameras, detections, events, the audit log, and the service's own data.

All times are RFC 3339 text in UTC with six digits of a second (`clock.rfc3339`).
"""

from collections.abc import Iterable

from ..db.base import UNCLEAN, BaseModel, ConflictError, NotFound, Row
from .cameras import (
    ASSIGNED,
    STATUSES,
    Camera,
    CameraEvidence,
    CameraRetention,
    CameraSettings,
    Progress,
)
from .children import child_counts, delete_children
from .deliveries import (
    DELIVERED,
    DELIVERIES,
    DELIVERY_DAYS,
    DELIVERY_STATES,
    GIVEN_UP,
    NO_LEVEL,
    WAITING,
    Delivery,
    MqttMessage,
)
from .events import (
    CONFIDENCE_BUCKETS,
    RISK_LEVELS,
    Detection,
    Event,
    confidence_bucket,
    decode_types,
    encode_types,
)
from .keyset import BadCursor, KeysetQuery
from .lists import AUDIT, DETECTIONS, EVENTS, event_counts_by_camera, event_counts_by_level
from .notifications import KINDS, BoxState, Notification, NotificationCooldown
from .picture_folders import KeptPicture, PictureCamera, PictureFolder
from .pictures import Picture
from .retention import PruningRun, RetentionFact
from .system import AuditEntry, BoxSetting, ClockNote, Secret, TableVersion, Token
from .uploads import PictureHour

# The tables whose rows `/api/system/storage` does not count: settings and the service's own data.
INTERNAL = (
    *(TableVersion, Secret, Token, ClockNote),
    *(CameraSettings, CameraEvidence, BoxSetting),
    *(PictureCamera, PictureFolder, PictureHour, Picture, KeptPicture),
    *(CameraRetention, RetentionFact, PruningRun),
    *(Notification, Delivery, MqttMessage, NotificationCooldown, BoxState),
)
MODELS: Iterable[type[BaseModel]] = (Camera, Event, Detection, AuditEntry, *INTERNAL)
