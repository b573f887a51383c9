"""The HTTP process of content."""

from fastapi import FastAPI
from suuupra.objects import ObjectStore

from services.content.api import authoring, files, learners, lessons, reading
from services.content.settings import Settings
from suuupra import app
from suuupra.db import Database

_DESCRIPTION = "Courses: what learners read, what creators write, and how far each learner is."


def create_app(settings: Settings) -> FastAPI:
    """Everything wired, nothing connected."""
    return app.create(
        settings,
        reading.router,
        files.router,
        files.upload_router(settings.media_limit),
        authoring.router,
        lessons.router,
        learners.router,
        resources=[
            Database.of(settings),
            ObjectStore.of(settings, "media"),
        ],
        description=_DESCRIPTION,
    )
