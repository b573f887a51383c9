"""Dockerfile: cut to one target's stages."""

import pytest
from bringup.dockerfile import arguments, only

TEXT = """# preamble
ARG BASE=debian
FROM ${BASE} AS python
RUN a

# about dependencies
FROM python AS dependencies
ARG VERSION=1
RUN b

FROM python AS runtime
COPY --from=dependencies /x /x

FROM runtime AS platform
COPY services services

FROM dependencies AS extra
RUN c

FROM runtime AS operator
COPY --from=extra /y /y
"""


def test_only_what_the_target_is_built_from_stays_in_order() -> None:
    cut = only(TEXT, "operator")
    assert cut.startswith("# preamble\nARG BASE=debian\n")
    assert [line for line in cut.splitlines() if line.startswith("FROM")] == [
        "FROM ${BASE} AS python",
        "FROM python AS dependencies",
        "FROM python AS runtime",
        "FROM dependencies AS extra",
        "FROM runtime AS operator",
    ]
    assert "services" not in cut


def test_a_stage_keeps_its_comment() -> None:
    assert "# about dependencies\nFROM python AS dependencies" in only(TEXT, "platform")


def test_a_change_in_another_targets_stage_changes_nothing() -> None:
    assert only(TEXT.replace("RUN c", "RUN d"), "platform") == only(TEXT, "platform")


def test_an_unknown_target_is_named_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="no target media; it has python, dependencies"):
        only(TEXT, "media")


def test_arguments_are_those_declared() -> None:
    assert arguments(TEXT) == {"BASE", "VERSION"}
