"""What passes the bounds costs the parser no more than its length."""

import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.content.domain.documents.bounds import MAX_BYTES, MAX_REPEATED, Unreadable, check_depth, decode
from services.content.domain.documents.encodings import CODECS
from services.content.domain.markup import AuthoredLinks, clean
from services.content.tests import hostile
from services.content.usecases.importing.folder import Folder
from services.content.usecases.importing.survey import ImportRefused, survey

GROWTH = 12
"""Times its length a text may grow to: end tags and parts of tables that it left out, and what is escaped."""
NAMES = """
    a b i font p div li dd ul table tr td th caption select option button form object svg math desc title style
    textarea span h1 br ruby rt nobr section object marquee template
"""
TAGS = st.builds(
    lambda slash, name, number: f"<{slash}{name}>" if slash or not number else f"<{name} id=x{number}>",
    st.sampled_from(["", "/"]),
    st.sampled_from(NAMES.split()),
    st.integers(0, 3),
)


@pytest.mark.parametrize("name", hostile.TEXTS)
@pytest.mark.timeout(10)
def test_a_page_that_costs_more_than_its_length_refuses_the_folder(tmp_path: Path, name: str) -> None:
    text, rule = hostile.TEXTS[name]
    (tmp_path / "index.html").write_text(text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImportRefused) as refused:
        survey(Folder(tmp_path), None, None, skip_broken=False)
    (finding,) = refused.value.findings
    assert (finding.file, rule in finding.rule) == ("index.html", True), finding.rule
    assert finding.fix
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.timeout(10)
def test_comments_that_begin_in_a_script_are_read_once() -> None:
    text = "<script>" + "<!--" * 200_000
    check_depth(text)
    assert clean(text, AuthoredLinks()) == ""


@given(
    st.lists(TAGS | st.just("y"), max_size=6), st.lists(TAGS | st.just("y"), max_size=8), st.integers(1, 400)
)
def test_soup_that_passes_grows_by_no_more_than_its_length(
    first: list[str], again: list[str], times: int
) -> None:
    text = "".join(first) + "".join(
        "".join(again).replace("id=x", f"id=x{number}") for number in range(times)
    )
    try:
        check_depth(f"<body>{text}")
    except Unreadable:
        return
    assert len(clean(text, AuthoredLinks())) <= GROWTH * len(text) + MAX_REPEATED


@pytest.mark.parametrize(
    "sloppy",
    [
        "<p>unclosed <b>bold <i>both</b> slanted</i>",
        "<ul><li>one<li>two<p>more</ul>",
        "<dl><dt>term<dd>what<dt>term<dd>what</dl>",
        "<table><tr><td>a<td>b<tr><th>c<td><b>d</table>",
        "<p>a<table><tr><td>x</table>",
        "<div><p>a<br>b<hr><img src=x></div>",
        "<b><p>around</p></b>",
        "<form><p><input><select><option>a<option>b</select></form>",
        "<svg viewBox='0 0 1 1'><title>A</title><g><path d='M0'/></g></svg>",
        "</p></x>text<!-- <div> --><script>if (a<b) '<div>'</script>",
        "<ruby>a<rt>b</ruby><details><summary>x</summary>y</details>",
        "<h2>a<a name=x>b</h2><a name=y>c</a>",
        "<div><object data=a.svg><p>a <b>drawing</b></p></object></div><table><tr><td>a<td><i>b</i></table>",
        "<marquee>news</marquee><p><b>x</b> y</p>",
    ],
)
def test_sloppy_html_passes_however_much_there_is_of_it(sloppy: str) -> None:
    for text in (sloppy * 2000, f"<!doctype html><html><body>{sloppy * 2000}"):
        check_depth(text)
        assert len(clean(text, AuthoredLinks())) <= GROWTH * len(text)


@pytest.mark.parametrize(
    "codec",
    ["punycode", "idna", "utf-7", "unicode_escape", "raw_unicode_escape", "hex", "rot13", "mbcs", "cp037"],
)
@pytest.mark.timeout(5)
def test_what_only_python_calls_an_encoding_is_unknown(codec: str) -> None:
    data = f"<meta charset={codec}>".encode()
    with pytest.raises(Unreadable) as refused:
        decode(data + b"a" * (MAX_BYTES - len(data)))
    assert refused.value.rule == f"declares the unknown encoding '{codec}'"
    assert refused.value.fix


@pytest.mark.parametrize("label", CODECS)
@pytest.mark.timeout(5)
def test_every_encoding_of_browsers_is_read_in_little_time(label: str) -> None:
    data = f"<meta charset='{label.upper()}'>".encode()
    assert len(decode(data + b"a" * (MAX_BYTES - len(data)))) == MAX_BYTES


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("windows-1251", "Привет"),
        ("koi8-r", "Привет"),
        ("shift_jis", "日本語"),
        ("euc-kr", "한국어"),
        ("gb2312", "中文"),
        ("big5", "中文"),
        ("iso-8859-1", "“€”"),
        ("utf-16", "é"),
    ],
)
def test_what_a_label_names_is_what_browsers_read(label: str, text: str) -> None:
    page = f"<meta charset={label}>{text}"
    assert decode(page.encode(CODECS[label])) == page
