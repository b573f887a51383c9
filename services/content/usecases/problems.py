"""What content refuses, as problems with a name."""

from uuid import UUID

from suuupra.errors import Conflict, FieldError, Invalid, NotFound, Problem


class CourseIncomplete(Conflict):
    """A course that is not ready for learners."""

    slug, title = "course-incomplete", "The course cannot be published yet"


class SlugTaken(Conflict):
    """Another course, or another lesson of the course, has that slug."""

    slug, title = "slug-taken", "This slug is taken"


class MediaInUse(Conflict):
    """A lesson is about this file, or learners are reading a page that shows it."""

    slug, title = "media-in-use", "The file is in use"


class RangeNotSatisfiable(Problem):
    """The part asked for lies outside the file (RFC 9110, 15.5.17)."""

    status, slug, title = 416, "range-not-satisfiable", "The file has no such part"

    def __init__(self, size: int) -> None:
        error = FieldError("header.Range", f"must begin before byte {size}", "ask for a part of the file")
        super().__init__(
            f"The file has {size} bytes.", errors=[error], headers={"Content-Range": f"bytes */{size}"}
        )


def not_found(what: str, key: UUID | str) -> Problem:
    """The same answer for what does not exist and for what belongs to somebody else."""
    error = FieldError(
        "path",
        f"must lead to a {what} that is there and yours to see",
        "take the address from a list of them",
    )
    return NotFound(f"There is no {what} {key}, or it is not yours to see.", errors=[error])


def invalid(field: str, rule: str, fix: str) -> Problem:
    """One field that does not follow a rule."""
    return Invalid(f"{field} {rule}.", errors=[FieldError(field, rule, fix)])


def slug_taken(slug: str) -> Problem:
    """`slug` belongs to another."""
    error = FieldError("body.slug", "must be free", "choose another, or leave it out to have one made")
    return SlugTaken(f"The slug {slug!r} is taken.", errors=[error])
