"""When spec.jobs is run: once per arguments, image and incarnation of the database (O1), whoever wrote the status."""

from __future__ import annotations

from suuupra_operator.children import Children
from suuupra_operator.desired import jobs
from suuupra_operator.desired.subject import Subject
from suuupra_operator.rollout import Rollout
from suuupra_operator.status import JobStatus, SuuupraServiceStatus
from suuupra_operator.writes import Gate

from .samples import subject
from .test_rail_reconcile import ApiServer, Free

FILL = {"name": "fill", "args": ["fill"]}
FIRST, ANEW = 16384, 16999
"""The oid of a database, and of one of the same name that was made after the first was dropped."""


class Shop:
    """A resource with a job, the operator's view of its Jobs, and what its status remembers."""

    def __init__(self, *remembered: JobStatus) -> None:
        self.server, self.wanted = ApiServer(), subject({"database": {}, "jobs": [FILL]})
        self.children = Children(self.server, Gate(Free()), [], lambda key: None)  # type: ignore[arg-type]
        self.rollout = Rollout(self.server, self.children, None)  # type: ignore[arg-type]
        self.status = SuuupraServiceStatus(jobs=[*remembered])

    async def look(self, oid: int) -> str:
        """One reconcile on this incarnation; what the condition says."""
        finding, found = await self.rollout.run_jobs(self.wanted, self.status, oid)
        self.status = self.status.model_copy(update={"jobs": found})
        return finding.reason

    def made(self) -> list[str]:
        return [write.removeprefix("apply ") for write in self.server.writes]

    def end(self) -> None:
        """Every Job is through."""
        for live in self.children.cache.of(self.wanted):
            live["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}


def run_of(wanted: Subject, oid: int = 0) -> str:
    image = jobs.one_off_image(wanted, wanted.spec.jobs[0])
    assert image is not None
    return jobs.one_off_hash(wanted.spec.jobs[0], image, oid)


async def test_o1_a_job_runs_once_on_a_database_and_once_more_on_one_that_was_made_anew() -> None:
    shop = Shop()
    assert await shop.look(FIRST) == "JobRunning"
    shop.end()
    assert [await shop.look(FIRST), await shop.look(FIRST)] == ["Done", "Done"]
    assert len(shop.made()) == 1
    assert await shop.look(ANEW) == "JobRunning"
    first, again = shop.made()
    assert (first, again) == (
        f"shop-job-fill-{run_of(shop.wanted, FIRST)}",
        f"shop-job-fill-{run_of(shop.wanted, ANEW)}",
    )


async def test_o1_what_an_earlier_operator_ran_is_not_run_again_until_the_database_is_made_anew() -> None:
    shop = Shop(JobStatus(name="fill", hash=run_of(subject({"jobs": [FILL]})), state="Succeeded"))
    assert await shop.look(FIRST) == "Done"
    assert shop.made() == []
    assert await shop.look(ANEW) == "JobRunning"
    assert len(shop.made()) == 1


async def test_o20_a_job_that_an_earlier_operator_began_is_waited_for_and_not_begun_beside_it() -> None:
    wanted = subject({"jobs": [FILL]})
    shop = Shop(JobStatus(name="fill", hash=run_of(wanted), state="Running"))
    begun = jobs.one_off(shop.wanted, shop.wanted.spec.jobs[0], "suuupra/shop:abc123", run_of(wanted))
    begun["metadata"] |= {"uid": "begun", "resourceVersion": "1"}
    shop.children.cache.put(begun)
    assert await shop.look(FIRST) == "JobRunning"
    shop.end()
    assert [await shop.look(FIRST), await shop.look(FIRST)] == ["Done", "Done"]
    assert shop.made() == []
    assert shop.status.jobs[0].hash == run_of(shop.wanted, FIRST)


def test_the_name_of_a_job_keeps_what_tells_its_runs_apart_however_long_the_rest_is() -> None:
    wanted = subject({"jobs": [FILL | {"name": "a-job-with-a-long-na"}]})
    long = Subject("suuupra", "s" * 40, "uid-1", wanted.spec, wanted.platform)
    job = long.spec.jobs[0]
    runs = [jobs.one_off_hash(job, "a/shop:1", oid) for oid in (FIRST, ANEW)]
    names = {jobs.one_off(long, job, "a/shop:1", run)["metadata"]["name"] for run in runs}
    assert len(names) == 2
    assert max(map(len, names)) <= 63
