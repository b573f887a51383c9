"""Files are what their bytes say."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.content.domain.media import TYPES, Identity, Unwanted, identify, safe_name
from services.content.tests import pictures


@pytest.mark.parametrize(
    ("data", "identity"),
    [
        (pictures.png(640, 480), Identity("image/png", 640, 480)),
        (pictures.gif(3, 2), Identity("image/gif", 3, 2)),
        (pictures.jpeg(30, 20), Identity("image/jpeg", 30, 20)),
        (pictures.webp(300, 200), Identity("image/webp", 300, 200)),
        (pictures.svg(), Identity("image/svg+xml")),
        (pictures.mp4(), Identity("video/mp4")),
        (pictures.pdf(), Identity("application/pdf")),
        (b"PK\x03\x04" + bytes(40), Identity("application/zip")),
        (b"\x1a\x45\xdf\xa3\x42\x82\x84webm", Identity("video/webm")),
    ],
)
def test_a_file_is_recognised_by_its_bytes(data: bytes, identity: Identity) -> None:
    assert identify(data) == identity


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (pictures.png(50_000, 50_000), "50000 x 50000 pixels"),
        (pictures.png(0, 5), "no pixels"),
        (pictures.jpeg()[:9], "cut off"),
        (b"<svg><!ENTITY a 'b'>", "entities"),
        (b"<html><script>alert(1)</script>", "must be a PNG"),
        (b"MZ\x90\x00", "must be a PNG"),
        (b"", "must be a PNG"),
    ],
)
def test_what_is_not_taken_is_refused_with_rule_and_fix(data: bytes, rule: str) -> None:
    with pytest.raises(Unwanted) as refused:
        identify(data)
    assert rule in refused.value.rule
    assert refused.value.fix


heads = st.sampled_from(
    [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF____WEBPVP8L", b"RIFF____WEBPVP8 "]
)


@given(heads, st.binary(max_size=200))
def test_damaged_files_are_refused_and_never_crash(head: bytes, rest: bytes) -> None:
    with suppress(Unwanted):
        assert identify(head + rest).content_type in TYPES


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\a b.mp4", "a-b.mp4"),
        ('x";\r\nSet-Cookie: a', "x-Set-Cookie-a"),
        ("चित्र.png", "png"),
        ("…", "file.png"),
    ],
)
def test_names_are_safe_in_addresses_and_headers(name: str, safe: str) -> None:
    assert safe_name(name, "image/png") == safe
