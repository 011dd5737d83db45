"""The same cameras on FastAPI, SQLAlchemy and aiosqlite, written the way people write them."""

import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ForeignKey, event, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BASE = Path(os.environ["RIVAL_BASE_PATH"]).resolve()
MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
}
Status = Literal["online", "offline", "error"]

engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['RIVAL_DATABASE']}")
new_session = async_sessionmaker(engine, expire_on_commit=False)


@event.listens_for(engine.sync_engine, "connect")
def set_pragmas(connection, _):
    """The pragmas of the service, so that both promise the same."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


class Base(DeclarativeBase):
    """What all tables share."""


class Camera(Base):
    """A device that uploads pictures into a folder."""

    __tablename__ = "camera"
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: str(uuid.uuid4()))
    name: Mapped[str]
    folder_path: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC), index=True)
    last_seen_at: Mapped[datetime | None]


class Detection(Base):
    """What a detector saw."""

    __tablename__ = "detection"
    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[str] = mapped_column(ForeignKey("camera.id", ondelete="CASCADE"), index=True)
    detected_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC), index=True)
    object_type: Mapped[str]
    confidence: Mapped[float]


class AuditEntry(Base):
    """Who changed what."""

    __tablename__ = "audit_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    timestamp: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
    action: Mapped[str]
    resource_id: Mapped[str]
    ip_address: Mapped[str | None]
    details: Mapped[str]


class CameraCreate(BaseModel):
    """A new camera."""

    name: str = Field(min_length=1, max_length=255)
    folder_path: str = Field(min_length=1, max_length=500)
    status: Status = "online"


class CameraUpdate(BaseModel):
    """The fields to change."""

    name: str | None = Field(None, min_length=1, max_length=255)
    folder_path: str | None = Field(None, min_length=1, max_length=500)
    status: Status | None = None


class CameraResponse(BaseModel):
    """A camera as it is sent."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    folder_path: str
    status: str
    created_at: datetime
    last_seen_at: datetime | None


class CameraListResponse(BaseModel):
    """All cameras."""

    cameras: list[CameraResponse]
    count: int


class DetectionCreate(BaseModel):
    """A new detection."""

    camera_id: str
    object_type: str = Field(min_length=1, max_length=50)
    confidence: float = Field(ge=0, le=1)


class DetectionResponse(DetectionCreate):
    """A detection as it is sent."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    detected_at: datetime


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables before the first request."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
app = FastAPI(lifespan=lifespan)


async def find(session: AsyncSession, camera_id: uuid.UUID) -> Camera:
    """The camera, or 404."""
    camera = await session.get(Camera, str(camera_id))
    if camera is None:
        raise HTTPException(404, "Camera not found")
    return camera


def record(request: Request, action: str, camera: Camera, details: dict) -> AuditEntry:
    """An entry of the audit log."""
    return AuditEntry(
        action=action,
        resource_id=camera.id,
        ip_address=request.client.host if request.client else None,
        details=json.dumps(details),
    )


@app.get("/api/cameras")
async def list_cameras(session: Session, status: Status | None = None) -> CameraListResponse:
    """List all cameras."""
    query = select(Camera).order_by(Camera.created_at)
    if status:
        query = query.where(Camera.status == status)
    cameras = (await session.execute(query)).scalars().all()
    return CameraListResponse(cameras=cameras, count=len(cameras))


@app.get("/api/cameras/{camera_id}")
async def get_camera(camera_id: uuid.UUID, session: Session) -> CameraResponse:
    """Get a camera."""
    return await find(session, camera_id)


@app.post("/api/cameras", status_code=201)
async def create_camera(body: CameraCreate, request: Request, session: Session) -> CameraResponse:
    """Create a camera."""
    camera = Camera(**body.model_dump())
    session.add(camera)
    await session.flush()
    session.add(record(request, "camera_created", camera, body.model_dump()))
    await session.commit()
    return camera


@app.patch("/api/cameras/{camera_id}")
async def update_camera(
    camera_id: uuid.UUID, body: CameraUpdate, request: Request, session: Session
) -> CameraResponse:
    """Change a camera."""
    camera = await find(session, camera_id)
    changes = {}
    for field, value in body.model_dump(exclude_unset=True).items():
        changes[field] = {"old": getattr(camera, field), "new": value}
        setattr(camera, field, value)
    session.add(record(request, "camera_updated", camera, {"changes": changes}))
    await session.commit()
    return camera


@app.delete("/api/cameras/{camera_id}", status_code=204)
async def delete_camera(camera_id: uuid.UUID, request: Request, session: Session) -> None:
    """Delete a camera."""
    camera = await find(session, camera_id)
    await session.delete(camera)
    session.add(record(request, "camera_deleted", camera, {"name": camera.name}))
    await session.commit()


@app.get("/api/cameras/{camera_id}/snapshot")
async def get_camera_snapshot(
    camera_id: uuid.UUID, request: Request, session: Session
) -> Response:
    """Get the newest picture."""
    camera = await find(session, camera_id)
    folder = (BASE / camera.folder_path).resolve()
    if not folder.is_relative_to(BASE):
        raise HTTPException(403, "Folder is outside the base path")
    if not folder.is_dir():
        raise HTTPException(404, "Folder does not exist")
    pictures = [path for path in folder.rglob("*") if path.suffix.lower() in MEDIA_TYPES]
    if not pictures:
        raise HTTPException(404, "No snapshot")
    newest = max(pictures, key=lambda path: path.stat().st_mtime)
    answer = FileResponse(
        newest,
        media_type=MEDIA_TYPES[newest.suffix.lower()],
        filename=newest.name,
        stat_result=newest.stat(),
    )
    if request.headers.get("If-None-Match") == answer.headers["etag"]:
        return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
    return answer


@app.post("/api/detections", status_code=201)
async def create_detection(body: DetectionCreate, session: Session) -> DetectionResponse:
    """Store a detection."""
    detection = Detection(**body.model_dump())
    session.add(detection)
    await session.commit()
    return detection


@app.get("/api/detections")
async def list_detections(session: Session, limit: int = 50) -> dict:
    """The newest detections."""
    query = select(Detection).order_by(Detection.detected_at.desc()).limit(limit)
    found = (await session.execute(query)).scalars().all()
    count = (await session.execute(select(func.count()).select_from(Detection))).scalar_one()
    return {
        "detections": [DetectionResponse.model_validate(detection) for detection in found],
        "count": count,
    }
