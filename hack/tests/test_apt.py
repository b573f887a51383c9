"""apt: what another one or a cut-off one makes it say, and what is done about it."""

from pathlib import Path

import pytest
from bringup import apt
from bringup.apt import what_stopped
from bringup.documents import package_of
from bringup.job import CommandFailed, Job

BUSY = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (apt-get)"
CUT_OFF = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."


@pytest.mark.parametrize(
    ("output", "why"),
    [(BUSY, "busy"), (CUT_OFF, "interrupted"), ("E: Unable to locate package chromiun", None)],
)
def test_what_can_be_mended_is_told_from_what_cannot(output: str, why: str | None) -> None:
    assert what_stopped(output) == why


class Machine(Job):
    """Answers in the place of apt: each call takes the next answer, an empty one being success."""

    def __init__(self, logs: Path, answers: list[str]) -> None:
        super().__init__("apt", lambda _: None, logs)
        self.answers, self.ran = answers, list[str]()

    def run(self, argv: object, **_: object) -> None:
        assert isinstance(argv, list)
        self.ran.append(" ".join(argv))
        if self.answers and (answer := self.answers.pop(0)):
            raise CommandFailed(argv, 100, answer)

    def pause(self, seconds: float) -> None:
        """No need to wait for a machine that answers at once."""


def test_another_apt_is_waited_for(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [BUSY, BUSY])
    apt.install(machine, ["curl"])
    assert [line.split()[3] for line in machine.ran] == ["update", "update", "update", "install"]
    assert machine.waits_for == "another apt on this machine to end"


def test_a_cut_off_apt_is_mended_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path, ["", CUT_OFF])
    apt.install(machine, ["curl"])
    assert machine.ran[2] == "dpkg --configure -a"
    assert "install" in machine.ran[3]
    with pytest.raises(CommandFailed):
        apt.install(Machine(tmp_path, ["", CUT_OFF, "", CUT_OFF]), ["curl"])


def test_any_other_failure_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no space"):
        apt.install(Machine(tmp_path, ["no space left"]), ["curl"])


def test_the_pages_are_in_the_package_of_this_debians_python() -> None:
    assert (
        package_of("python3-doc\n  Depends: python3.11-doc\n  Suggests: python3-examples\n")
        == "python3.11-doc"
    )
    with pytest.raises(ValueError, match="no such package"):
        package_of("")
