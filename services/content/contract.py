"""What others may know of content: its events and the models of its API. The only module they may import.

Limits on text and lists are written here once, next to the field they bound. Ids are UUIDv7, times are UTC.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.content.domain.rights import Right as Right
from services.content.domain.rights import Rights as Rights
from suuupra import fields
from suuupra.events import Event

MAX_MODULES = 200
MAX_LESSONS = 1000
"""In a course: what a contents page can still show at once."""
MAX_ARTICLE_CHARACTERS = 1_000_000
"""Characters of an article's HTML, markup included."""

LessonKind = Literal["article", "video", "file"]
ProgressState = Literal["started", "completed"]
Access = Literal["open", "entitled"]  # who reads it: all, or all its preview and the entitled the rest

Title = fields.Title
Slug = fields.Slug
Text = fields.Text
Html = Annotated[str, Field(max_length=MAX_ARTICLE_CHARACTERS), AfterValidator(fields.storable)]
Language = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?$", max_length=11)
]
"""BCP 47, as far as courses need it: language, script, region."""


class _Model(BaseModel):
    """Answers: a reader ignores what it does not know, so that fields may be added."""

    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    """Requests: a field that is not known is a mistake of the caller, and said."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# Events


class Learner(_Model):
    """Who learns: a visitor without an account, known by the web app's cookie, or a user."""

    kind: Literal["visitor", "user"]
    id: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(fields.on_one_line)]


class CoursePublished(Event):
    """A revision of a course became what learners read. Aggregate: the course."""

    type: ClassVar[str] = "course.published"

    course_id: UUID
    revision: int
    slug: str
    title: str
    summary: str
    language: str
    owner: str
    lesson_count: int
    published_at: datetime


class CourseUnpublished(Event):
    """A course is no longer shown to learners (withdrawn, or deleted). Aggregate: the course."""

    type: ClassVar[str] = "course.unpublished"

    course_id: UUID
    unpublished_at: datetime


class LessonCompleted(Event):
    """A learner finished a lesson; at most once per learner and lesson. Aggregate: the learner, see `learner_key`."""

    type: ClassVar[str] = "lesson.completed"

    learner: Learner
    course_id: UUID
    lesson_id: UUID
    completed_at: datetime


EVENTS: tuple[type[Event], ...] = (CoursePublished, CourseUnpublished, LessonCompleted)


def learner_key(learner: Learner) -> str:
    """The aggregate id of a learner's events: a popular lesson must not become a hot partition."""
    return f"{learner.kind}:{learner.id}"


# What learners read


class CourseSummary(_Model):
    """A course in the catalogue."""

    id: UUID
    slug: str
    title: str
    summary: str
    language: str
    lesson_count: int
    minutes: int = Field(description="reading and watching time of all lessons, in minutes")
    published_at: datetime
    licence: str | None = None
    source: str | None = Field(default=None, description="address of the work this course was made from")
    access: Access = "open"
    preview_lessons: int = Field(default=0, description="of an entitled course: lessons that all read")


class CourseDetails(CourseSummary):
    """A course's own page. `description` is plain text; blank lines part its paragraphs."""

    description: str
    outcomes: list[str]
    revision: int


class LessonEntry(_Model):
    """A lesson in the table of contents."""

    id: UUID
    slug: str
    title: str
    kind: LessonKind
    minutes: int
    locked: bool = Field(default=False, description="the caller is not entitled to read it")


class ModuleEntry(_Model):
    """A module in the table of contents."""

    id: UUID
    title: str
    lessons: list[LessonEntry]


class Contents(_Model):
    """The table of contents of a published course."""

    course_id: UUID
    slug: str
    title: str
    revision: int
    modules: list[ModuleEntry]


class MediaLink(_Model):
    """A file that a lesson shows or offers. `size` in bytes; `width` and `height` in pixels, of pictures."""

    id: UUID
    url: str
    name: str
    content_type: str
    size: int
    width: int | None = None
    height: int | None = None


class Neighbour(_Model):
    """The lesson before or after."""

    id: UUID
    slug: str
    title: str


class LessonPage(LessonEntry):
    """A lesson as learners read it. `html` is sanitised; its headings begin at h2; its ids begin with `s-`."""

    course_id: UUID
    course_slug: str
    course_title: str
    revision: int
    module_id: UUID
    module_title: str
    number: int = Field(description="its place in the course, from 1")
    count: int = Field(description="lessons in the course")
    html: str
    media: MediaLink | None = None
    previous: Neighbour | None = None
    next: Neighbour | None = None


# Progress (of users by their token; of visitors for the web app, inside the cluster)


class ProgressUpdate(_Request):
    """What a learner did. `position`: per mille of an article's length, or seconds into a video."""

    state: ProgressState
    position: int = Field(default=0, ge=0, le=1_000_000)


class LessonProgress(_Model):
    """How far a learner is in one lesson; `at` is the last change."""

    lesson_id: UUID
    course_id: UUID
    state: ProgressState
    position: int
    at: datetime


class CourseProgressItems(_Model):
    """A learner's lessons, of one course when asked for one; the latest first."""

    items: list[LessonProgress]


class CourseProgress(_Model):
    """How far a learner is in one course."""

    course: CourseSummary
    completed: int
    last_lesson: Neighbour
    at: datetime


class CourseProgressList(_Model):
    """The courses that a learner began and that are still published; the latest first."""

    items: list[CourseProgress]


class Merged(_Model):
    """What became of a visitor's progress: how many lessons the user took over. Asked again, none is left."""

    lessons: int


# Authoring (for a course's owner)


class CourseFields(_Request):
    """What a creator says of a course. An old course keeps slug and access that are left out, a new one gets its own."""

    title: Title
    slug: Slug | None = None
    summary: fields.Line = ""
    description: Text = ""
    language: Language = "en"
    outcomes: list[Title] = Field(default_factory=list, max_length=20)
    licence: Title | None = None
    source: fields.WebAddress | None = None
    access: Access | None = None
    preview_lessons: Annotated[int, Field(ge=0, le=MAX_LESSONS)] | None = None


class ModuleFields(_Request):
    """What a creator says of a module."""

    title: Title


class NewModule(ModuleFields):
    """A module to add, last unless `position` (from 0) says where."""

    position: int | None = Field(default=None, ge=0, lt=MAX_MODULES)


class ArticleBody(_Request):
    """A text. Its HTML is sanitised; links to `/v1/lessons/ID#anchor` and `/v1/media/…` are kept."""

    kind: Literal["article"]
    html: Html


class VideoBody(_Request):
    """A film uploaded to this course, with a text beside it."""

    kind: Literal["video"]
    media_id: UUID
    seconds: int = Field(ge=1, le=86_400)
    html: Html = ""


class FileBody(_Request):
    """A file uploaded to this course, with a text beside it."""

    kind: Literal["file"]
    media_id: UUID
    html: Html = ""


LessonBody = Annotated[ArticleBody | VideoBody | FileBody, Field(discriminator="kind")]


class LessonFields(_Request):
    """What a creator says of a lesson. Without `slug` a new lesson gets one from its title, an old one keeps its."""

    title: Title
    slug: Slug | None = None
    body: LessonBody


class NewLesson(LessonFields):
    """A lesson to add, last in its module unless `position` (from 0) says where."""

    position: int | None = Field(default=None, ge=0, lt=MAX_LESSONS)


class ModuleOrder(_Request):
    """A module and its lessons in order."""

    id: UUID
    lessons: list[UUID] = Field(max_length=MAX_LESSONS)


class CourseOrder(_Request):
    """Every module and every lesson of a course, each once; lessons may move to another module."""

    modules: list[ModuleOrder] = Field(max_length=MAX_MODULES)


class CourseEntry(_Model):
    """One of the owner's courses. `shown_revision` is what learners read; null when unpublished."""

    id: UUID
    owner: str
    slug: str
    title: str
    version: int
    shown_revision: int | None
    updated_at: datetime


class ModuleDraft(ModuleEntry):
    """A module as its owner sees it."""

    version: int


class CourseDraft(CourseEntry):
    """A course as its owner sees it; `version` is its ETag and counts every change in the course."""

    summary: str
    description: str
    language: str
    outcomes: list[str]
    licence: str | None
    source: str | None
    access: Access
    preview_lessons: int
    created_at: datetime
    modules: list[ModuleDraft]


class LessonDraft(LessonEntry):
    """A lesson as its owner sees it; `version` is its ETag."""

    course_id: UUID
    module_id: UUID
    html: str
    seconds: int
    media: MediaLink | None
    version: int


class RevisionEntry(_Model):
    """A published revision."""

    number: int
    published_at: datetime
    published_by: str
    lesson_count: int
    shown: bool


class Revision(RevisionEntry):
    """A published revision with its table of contents."""

    contents: Contents


class LessonCompletions(_Model):
    """How many learners completed a lesson."""

    lesson_id: UUID
    completions: int


class Statistics(_Model):
    """How often the lessons of a course were completed."""

    course_id: UUID
    completions: int
    lessons: list[LessonCompletions]
