"""Lessons hold what an allowlist knows, and nothing else."""

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexers import get_lexer_by_name

from services.content.domain import listings
from services.content.domain.markup import AuthoredLinks, clean

LESSON = UUID("0198c5a4-7d3e-7c1a-9c55-0242ac120002")
LINKS = AuthoredLinks()

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\tscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='//evil.example/x'>x</a>",
    "<a href='\\\\evil.example'>x</a>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<img src='https://evil.example/pixel.png'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action=/v1/authoring/courses><input name=x><button>x</button></form>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<p id='x\" onclick=\"alert(1)'>x</p>",
    "<textarea><script>alert(1)</script></textarea>",
    "<details open ontoggle=alert(1)>x</details>",
    "<!--><script>alert(1)</script>-->",
    "<pre><code class='language-\"><script>alert(1)</script>'>x</code></pre>",
    "<pre data-language='\"><script>alert(1)</script>'>x</pre>",
]


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_that_acts_gets_through(html: str) -> None:
    cleaned = clean(f"<p>before</p>{html}", LINKS)
    assert cleaned.startswith("<p>before</p>")
    for forbidden in (
        "<script",
        "alert(1)'",
        " on",
        "javascript:",
        "data:",
        "evil",
        "<iframe",
        "<form",
        "style=",
    ):
        assert forbidden not in cleaned.lower().replace(" once", "")


@given(st.text(alphabet=st.sampled_from(list("<>/='\"& abpre#:-\n")), max_size=200))
def test_cleaning_twice_is_cleaning_once(html: str) -> None:
    once = clean(html, LINKS)
    assert clean(once, LINKS) == once


def test_ids_and_links_to_them_agree() -> None:
    assert clean('<p id="a">x</p><p><a href="#a">y</a></p>', LINKS) == (
        '<p id="s-a">x</p><p><a href="#s-a">y</a></p>'
    )


def test_old_anchors_become_ids() -> None:
    assert clean('<a name="here">x</a>', LINKS) == '<a id="s-here">x</a>'


def test_links_to_lessons_and_elsewhere_are_kept() -> None:
    html = f'<a href="/v1/lessons/{LESSON}#part">a</a> <a href="https://example.org/?a=1&amp;b=2">b</a>'
    assert clean(html, LINKS) == (
        f'<a href="/v1/lessons/{LESSON}#part">a</a> '
        '<a href="https://example.org/?a=1&amp;b=2" rel="noopener nofollow">b</a>'
    )


def test_a_link_that_is_not_kept_leaves_its_text() -> None:
    assert clean('see <a href="other.html">the <em>other</em></a>', LINKS) == "see the <em>other</em>"


def test_a_picture_that_is_not_kept_leaves_its_description() -> None:
    assert clean('<p><img src="x.png" alt="a <b> chart"></p>', LINKS) == "<p>a &lt;b&gt; chart</p>"


def test_own_pictures_are_loaded_when_they_are_seen() -> None:
    html = f'<img src="/v1/media/{LESSON}/a.png" alt="A" width="3" height="2">'
    cleaned = clean(html, LINKS)
    assert 'loading="lazy"' in cleaned
    assert 'width="3"' in cleaned


def test_headings_begin_at_the_second_level() -> None:
    assert clean("<h4>a</h4><h5>b</h5>", LINKS) == "<h2>a</h2><h3>b</h3>"
    assert clean("<h1>a</h1><h6>b</h6>", LINKS) == "<h2>a</h2><h6>b</h6>"


def test_listings_of_sphinx_are_highlighted_again() -> None:
    html = (
        '<div class="highlight-python3 notranslate"><div class="highlight"><pre><span></span>'
        '<span class="gp">&gt;&gt;&gt; </span>x <span class="o">&lt;</span> 3\nTrue\n</pre></div></div>'
    )
    assert clean(html, LINKS) == (
        '<pre class="highlight" data-language="pycon"><code><span class="gp">&gt;&gt;&gt; </span>'
        '<span class="n">x</span> <span class="o">&lt;</span> <span class="mi">3</span>\n'
        '<span class="go">True</span></code></pre>'
    )


def test_listings_of_markdown_tools_keep_their_language() -> None:
    cleaned = clean('<pre><code class="language-js">let a = 1</code></pre>', LINKS)
    assert cleaned.startswith('<pre class="highlight" data-language="js"><code><span class="kd">let</span>')


@pytest.mark.parametrize("language", ["none", "no-such-language", ""])
def test_listings_without_a_known_language_stay_plain(language: str) -> None:
    cleaned = clean(f'<pre class="highlight-{language}">a &lt; b</pre>', LINKS)
    assert "<code>a &lt; b</code>" in cleaned


HOSTILE_CODE = ["\t;", "{", '"', "<", "&", "a ", "a.", "a::"]
SLOWEST = ["c", "cpp", "csharp", "elixir", "html", "java", "python", "ts"]
"""Of all languages that are coloured, those whose lexers took longest on texts such as these."""


@pytest.mark.parametrize("language", SLOWEST)
def test_no_listing_of_ordinary_measures_keeps_a_pod_busy(language: str) -> None:
    for seed in HOSTILE_CODE:
        text = "\n".join([(seed * 14)[:14]] * listings.MAX_LINES)
        assert listings.is_ordinary(text)
        began = time.process_time()
        listings.render(text, language)
        assert time.process_time() - began < 2.0, seed


def test_every_language_that_is_coloured_has_a_lexer() -> None:
    for language in listings.LANGUAGES:
        assert get_lexer_by_name(language)


@pytest.mark.parametrize(
    "text",
    [
        "x" + "\n" * 4000 + "y",
        "x\n \n\t\n\ny",
        "x" * (listings.MAX_LINE + 1),
        "x\n" * listings.MAX_LINES,
        ("x" * 99 + "\n") * 50,
    ],
)
def test_a_listing_that_no_code_looks_like_stays_plain(text: str) -> None:
    assert "<span" not in listings.render(text, "cpp")


def test_of_very_many_listings_only_the_first_are_coloured() -> None:
    listing = f'<pre><code class="language-python">{"x = 1;" * 40}</code></pre>'
    cleaned = clean(listing * 1000, LINKS)
    coloured = cleaned.count("<pre") - cleaned.count("<code>x")
    assert 0 < coloured * 240 <= listings.MAX_COLOURED
