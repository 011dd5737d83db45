"""How is a database filled with a million rows? By plain SQL, in seconds."""

import sqlite3
from pathlib import Path

from benchmarks.service import running

DETECTIONS, EVENTS, ENTRIES = 1_000_000, 100_000, 100_000
# Cameras with nearly all rows, with a few, and with none.
OWNER, OTHER, IDLE = (f"00000000-0000-4000-8000-{n:012}" for n in range(3))
# The oldest rows are the rare ones, which a list of the newest first reaches last.
RARE = 20
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)"
# From 2025-06-15 on, this many seconds apart.
MOMENT = "strftime('%Y-%m-%dT%H:%M:%S', 1750000000 + i * {}, 'unixepoch') || '.000000Z'"
OWNERS = f"CASE WHEN i < {RARE} THEN '{OTHER}' ELSE '{OWNER}' END"
FILL = (
    (
        f"{NUMBERS} INSERT INTO event (camera_id, started_at, risk_score, summary, reasoning, "
        f"reviewed, object_types) SELECT {OWNERS}, {MOMENT.format(100)}, "
        f"CASE WHEN i < {RARE} THEN 90 ELSE i * 7919 % 85 END, 'Somebody at the door', "
        f"'A person came up to the door and stood there for a while.', i < {RARE}, "
        f"char(10) || CASE WHEN i < {RARE} THEN 'bear' ELSE 'person' END || char(10) FROM n",
        EVENTS,
    ),
    (
        f"{NUMBERS} INSERT INTO detection (camera_id, event_id, detected_at, object_type, "
        "confidence, bbox_x, bbox_y, bbox_width, bbox_height, file_path, external_id) "
        f"SELECT {OWNERS}, CASE WHEN i % 2 THEN i / 10 + 1 END, {MOMENT.format(10)}, "
        f"CASE WHEN i < {RARE} THEN 'bear' WHEN i % 20 THEN 'person' ELSE 'car' END, "
        f"CASE WHEN i < {RARE} THEN 0.97 ELSE 0.3 + 0.65 * (i * 7919 % 10007) / 10007 END, "
        "120, 80, 64, 128, '20251223/120000.jpg', 'yolo-' || i FROM n",
        DETECTIONS,
    ),
    (
        f"{NUMBERS} INSERT INTO audit_entry (timestamp, action, resource_type, resource_id, "
        f"actor, ip_address, user_agent, details) SELECT {MOMENT.format(100)}, "
        f"CASE WHEN i < {RARE} THEN 'camera_updated' ELSE 'event_updated' END, "
        f"CASE WHEN i < {RARE} THEN 'camera' ELSE 'event' END, "
        f"CASE WHEN i < {RARE} THEN 'rare' WHEN i % 2 THEN 'often' ELSE i END, "
        f"CASE WHEN i < {RARE} THEN 'admin' ELSE 'anonymous' END, '192.168.1.20', "
        """'Mozilla/5.0', '{"changes":{"reviewed":{"old":false,"new":true}}}' FROM n""",
        ENTRIES,
    ),
)


def fill(folder: Path) -> str:
    """Make a full database in ``folder``; returns its URL."""
    url = f"sqlite:///{folder}/full.db"
    with running(NVR_DATABASE_URL=url):
        pass  # the start makes the tables
    with sqlite3.connect(folder / "full.db") as connection:
        for number, camera in enumerate((OWNER, OTHER, IDLE)):
            connection.execute(
                "INSERT INTO camera (id, name, folder_path, status, created_at) "
                "VALUES (?, ?, ?, 'online', '2025-06-15T12:00:00.000000Z')",
                (camera, f"Camera {number}", f"camera_{number}"),
            )
        for sql, rows in FILL:
            connection.execute(sql, (rows,))
    connection.close()
    return url
