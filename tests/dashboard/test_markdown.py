"""Model text on the page: formatted, and harmless whatever it says."""

import re

import pytest

from sessions_app.views.markdown import render

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:msgbox(1))",
    "![track](https://example.com/pixel.png)",
    '[a](https://example.com "onmouseover=alert(1) x=\'")',
    "<a href=\"https://e.example\" onclick='alert(1)'>x</a>",
    "<style>body{display:none}</style>",
    "<form action=//e.example><input name=q></form>",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "|a|\n|-|\n|<img src=x onerror=alert(1)>|",
    "<!--><script>alert(1)</script>-->",
    "<math><mtext></p><script>alert(1)</script>",
    "\x00<script>alert(1)</script>",
    "<x" * 5000,
    "> " * 500 + "deep",
    "[[[[" * 500,
]
ALLOWED = re.compile(
    r"</?(a|blockquote|br|code|del|em|h[3-6]|hr|li|ol|p|pre|s|strong|table|tbody|td|th|thead|tr|ul)"
    r"( (href|title|rel|start|align|tabindex)=\"[^\"<>]*\")*>"
)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:24])
def test_hostile_text_yields_only_known_harmless_tags(text: str) -> None:
    html = render(text)

    assert ALLOWED.sub("", html).count("<") == 0
    assert all(re.match(r"(https?://|mailto:)", address) for address in re.findall(r'href="([^"]*)"', html))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**b** _i_ `c`", "<p><strong>b</strong> <em>i</em> <code>c</code></p>"),
        ("# One", "<h3>One</h3>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("```py\nx < 1\n```", '<pre tabindex="0"><code>x &lt; 1\n</code></pre>'),
        ("~~gone~~", "<p><s>gone</s></p>"),
    ],
    ids=["inline", "heading", "list", "code", "strike"],
)
def test_markdown_is_formatted(text: str, html: str) -> None:
    assert render(text).strip() == html


def test_links_tell_the_other_side_nothing() -> None:
    assert 'rel="noopener noreferrer nofollow"' in render("[x](https://example.com)")


def test_table_columns_keep_their_alignment() -> None:
    assert '<td align="right">1</td>' in render("|a|\n|-:|\n|1|")
