"""Model text to safe HTML: Markdown without raw HTML or remote images, then an allow-list sanitiser."""

from functools import cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

TEXT_TAGS = frozenset({"a", "br", "code", "del", "em", "hr", "p", "pre", "s", "strong", "blockquote"})
TAGS = TEXT_TAGS | {"h3", "h4", "h5", "h6", "li", "ol", "ul", "table", "tbody", "td", "th", "thead", "tr"}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"align"}, "th": {"align"}, "pre": {"tabindex"}}
SCHEMES = frozenset({"http", "https", "mailto"})
# A page has its own first and second level headings; those of a message go below them.
LOWERED = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6"}


@cache
def _parser() -> MarkdownIt:
    # A remote image would report every reader to whoever wrote the text, so images stay links.
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False})
    return parser.enable(["table", "strikethrough"]).disable(["image", "html_block", "html_inline"])


def render(text: str) -> SafeString:
    """The HTML of one message; any text is accepted and none of it can run."""
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        token.tag = LOWERED.get(token.tag, token.tag)
        style = token.attrGet("style")
        if style is not None:
            token.attrSet("align", str(style).removeprefix("text-align:"))
    html = parser.renderer.render(tokens, parser.options, {})
    # A wide block scrolls sideways, which has to work from the keyboard too.
    html = html.replace("<pre>", '<pre tabindex="0">')
    clean = nh3.clean(
        html,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)
