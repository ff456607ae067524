"""What a browser does with pages that have no scripts: follow redirects, fill a form in, send it."""

import re
from urllib.parse import urlsplit

import httpx

from tests.accounts.people import ORIGIN

HOPS = 5
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def form_token(html: str) -> str:
    """The token that Django has put into the page's forms."""
    found = TOKEN.search(html)
    assert found is not None, html
    return found.group(1)


async def follow(http: httpx.AsyncClient, path: str) -> httpx.Response:
    """Open a page, wherever it leads on this server."""
    answer = await http.get(path)
    for _ in range(HOPS):
        if not answer.has_redirect_location:
            return answer
        target = urlsplit(answer.headers["location"])
        assert not target.netloc, target
        answer = await http.get(answer.headers["location"])
    raise AssertionError(f"{path} leads nowhere")


async def submit(
    http: httpx.AsyncClient, path: str, *, action: str = "", **fields: str | list[str]
) -> httpx.Response:
    """Open a page and send its form; what comes of it, after redirects."""
    token = form_token((await follow(http, path)).text)
    target = action or urlsplit(path).path
    answer = await http.post(target, data={"csrfmiddlewaretoken": token, **fields}, headers=ORIGIN)
    return await follow(http, answer.headers["location"]) if answer.has_redirect_location else answer
