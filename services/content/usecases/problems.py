"""What content refuses, as problems with a name."""

from typing import Any
from uuid import UUID

from suuupra.errors import Conflict, FieldError, Forbidden, Problem


class CourseIncomplete(Conflict):
    """A course that is not ready for learners."""

    slug, title = "course-incomplete", "The course cannot be published yet"


class SlugTaken(Conflict):
    """Another course, or another lesson of the course, has that slug."""

    slug, title = "slug-taken", "This slug is taken"


class MediaInUse(Conflict):
    """A lesson is about this file, or learners are reading a page that shows it."""

    slug, title = "media-in-use", "The file is in use"


class NotEntitled(Forbidden):
    """A lesson, or a file of a lesson, of a course that the caller has not got. `course_id` tells which to get."""

    slug, title = "not-entitled", "This takes the whole course"

    def __init__(self, course_id: UUID) -> None:
        error = FieldError(
            "header.Authorization",
            "must be a token of somebody who is entitled to the course",
            f"get the course {course_id}, then sign in",
        )
        super().__init__("Only the first lessons of this course are open to everybody.", errors=[error])
        self.course_id = course_id

    def body(self, *, instance: str, request_id: str | None) -> dict[str, Any]:
        """With `course_id` as an extension."""
        return {
            **super().body(instance=instance, request_id=request_id),
            "course_id": str(self.course_id),
        }


class RangeNotSatisfiable(Problem):
    """The part asked for lies outside the file (RFC 9110, 15.5.17)."""

    status, slug, title = 416, "range-not-satisfiable", "The file has no such part"

    def __init__(self, size: int) -> None:
        error = FieldError("header.Range", f"must begin before byte {size}", "ask for a part of the file")
        super().__init__(
            f"The file has {size} bytes.", errors=[error], headers={"Content-Range": f"bytes */{size}"}
        )


def slug_taken(slug: str) -> Problem:
    """`slug` belongs to another."""
    error = FieldError("body.slug", "must be free", "choose another, or leave it out to have one made")
    return SlugTaken(f"The slug {slug!r} is taken.", errors=[error])
