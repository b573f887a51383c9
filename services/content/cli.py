"""`python -m suuupra content …`: what operators do with courses."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from services.content.contract import CourseFields
from services.content.domain.authors import PLATFORM, Author
from services.content.domain.courses import minutes_of
from services.content.domain.documents.bounds import Unreadable
from services.content.domain.sentences import DESCRIPTION, SUMMARY, first_sentence, shortened
from services.content.domain.slugs import slugify
from services.content.settings import Settings
from services.content.usecases.importing.apply import Imported, Importer, Job
from services.content.usecases.importing.folder import Folder
from services.content.usecases.importing.reporting import watching
from services.content.usecases.importing.survey import Finding, ImportRefused, Survey, survey
from services.content.usecases.sweeping import Swept
from services.content.usecases.sweeping import sweep as sweep_all
from suuupra import logs, settings
from suuupra.app import opened
from suuupra.clock import SystemClock
from suuupra.db import Database
from suuupra.errors import Problem
from suuupra.objects import ObjectStore

app = typer.Typer(no_args_is_help=True)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(highlight=False, soft_wrap=True, stderr=True)

_SHOWN_FINDINGS = 20


@app.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(help="A folder of HTML documentation.")],
    entry: Annotated[
        str | None, typer.Option(help="The page with the table of contents; index.html when absent.")
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="The course's title; the entry page's when absent.")
    ] = None,
    summary: Annotated[str | None, typer.Option(help="One sentence for the catalogue.")] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of the text.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the text comes from, for readers.")] = None,
    base_url: Annotated[
        str | None,
        typer.Option(help="Where the folder is published: links to pages outside the import go there."),
    ] = None,
    owner: Annotated[
        UUID | None,
        typer.Option(help="Id of the account whose course it becomes; the platform's when absent."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="What a later import recognises the course by; made from the entry when absent."),
    ] = None,
    access: Annotated[
        str | None,
        typer.Option(help="open: everybody reads it; entitled: only its preview. Left as it is when absent."),
    ] = None,
    preview_lessons: Annotated[
        int | None, typer.Option(help="How many lessons of an entitled course everybody reads.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the course when it is complete.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken pages out instead of refusing the folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be imported; change nothing.")
    ] = False,
) -> None:
    """Make a course of a folder of HTML documentation. May be cut off and run again: it goes on, and doubles nothing."""
    try:
        opened_folder = Folder(folder)
        found = survey(opened_folder, entry, base_url, skip_broken=skip_broken)
        job = Job(
            Author(PLATFORM if owner is None else str(owner)),
            key or slugify(f"{folder.resolve().name} {entry or ''}"),
            _said(
                found,
                title=title,
                summary=summary,
                licence=licence,
                source=source,
                access=access,
                preview_lessons=preview_lessons,
            ),
            publish,
        )
    except Unreadable as error:
        _refuse([Finding(str(folder), error.rule, error.fix)])
    except ImportRefused as refused:
        _refuse(refused.findings)
    _warn(found.warnings)
    if dry_run:
        _outline(found, job)
        return
    try:
        _summarise(asyncio.run(_import(opened_folder, found, job)), job)
    except Problem as problem:
        _refuse([Finding(str(folder), problem.detail.rstrip("."), "mend that and run the import again")])


def _said(
    found: Survey, *, title: str | None, summary: str | None, **options: str | int | None
) -> CourseFields:
    """What the course says of itself: the options, or what the entry page says."""
    said = {
        "title": title or found.title,
        "summary": summary if summary is not None else first_sentence(found.introduction, SUMMARY),
        "description": shortened(found.introduction, DESCRIPTION),
        "language": found.language or "en",
        **options,
    }
    try:
        return CourseFields.model_validate(said)
    except ValidationError as error:
        raise ImportRefused(
            [_wrong_option(detail["loc"], detail["msg"]) for detail in error.errors()]
        ) from error


def _wrong_option(location: tuple[int | str, ...], message: str) -> Finding:
    return Finding(f"--{location[0]}".replace("_", "-"), message, "give another with this option")


async def _import(folder: Folder, found: Survey, job: Job) -> Imported:
    loaded = _settings()
    database, objects = Database.of(loaded), ObjectStore.of(loaded, "media")
    async with opened([database, objects]):
        await database.check()
        await objects.check()
        with watching(_out) as watch:
            return await Importer(database, objects, SystemClock(), folder, job, watch).run(found)


def _settings() -> Settings:
    loaded = settings.load(Settings)
    logs.configure(loaded)
    return loaded


def _warn(warnings: Sequence[Finding]) -> None:
    for warning in warnings[:_SHOWN_FINDINGS]:
        _err.print(Text.assemble(("warning: ", "yellow"), str(warning)))
    if len(warnings) > _SHOWN_FINDINGS:
        _err.print(f"… and {len(warnings) - _SHOWN_FINDINGS} more warnings")


def _refuse(findings: Sequence[Finding]) -> None:
    for finding in findings[:_SHOWN_FINDINGS]:
        _err.print(Text.assemble(("error: ", "bold red"), str(finding)))
    if len(findings) > _SHOWN_FINDINGS:
        _err.print(f"… and {len(findings) - _SHOWN_FINDINGS} more errors")
    raise typer.Exit(1)


def _outline(found: Survey, job: Job) -> None:
    for module in found.plan.modules:
        _out.print(Text(module.title, style="bold"))
        for lesson in module.lessons:
            _out.print(f"  {lesson.title} ({minutes_of(lesson.html)} min)", markup=False)
    lessons = len(list(found.plan.lessons))
    _out.print(
        f"{job.fields.title}: {lessons} lessons, {len(found.pictures)} pictures. Nothing was changed.",
        markup=False,
    )


def _summarise(done: Imported, job: Job) -> None:
    shown = f"published as revision {done.revision}" if done.revision else "not published"
    _out.print(
        f"{job.fields.title} ({done.slug}): {done.lessons} lessons, {done.written} written, {done.removed} removed,"
        f" {done.pictures} pictures; {shown}",
        markup=False,
    )


@app.command()
def sweep() -> None:
    """Delete files and texts that nothing refers to: cut-off uploads, deleted courses. May run at any time."""
    swept = asyncio.run(_sweep())
    _out.print(f"{swept.objects} files ({swept.bytes} bytes) and {swept.texts} texts deleted")


async def _sweep() -> Swept:
    loaded = _settings()
    database, objects = Database.of(loaded), ObjectStore.of(loaded, "media")
    async with opened([database, objects]):
        return await sweep_all(database, objects, SystemClock())
