"""Which GitHub repository a text names: `owner/repo` in lower case, or none when there is any doubt."""

import re
from urllib.parse import urlsplit

_OWNER = r"[a-z0-9][a-z0-9_-]*"
_REPO = r"[a-z0-9_.-]+"
_PAIR = re.compile(rf"({_OWNER})/({_REPO})", re.ASCII)
_SCP = re.compile(rf"(?:[a-z0-9_.-]+@)?(?:ssh\.)?github\.com:/?({_OWNER})/({_REPO})/?", re.ASCII)
_SCHEMES = frozenset({"https", "http", "ssh", "git", "git+ssh", "git+https"})
_WEB_HOSTS = frozenset({"github.com", "www.github.com", "ssh.github.com"})
_API_HOST = "api.github.com"
# A client may read these otherwise than we do, so no name is taken from a text that has them.
_DOUBTFUL = re.compile(r"[^\x21-\x7e]|[\\%$`*{}<>\"'|^]")


def repository_of(text: str) -> str | None:
    """The repository of `owner/repo`, `github.com/owner/repo` or a URL; None when the text names none."""
    plain = text.strip().lower()
    return remote_of(plain) or _pair(plain) or _pair(plain.removeprefix("github.com/"))


def remote_of(text: str) -> str | None:
    """The repository of a full remote address (URL or `git@github.com:owner/repo.git`), never of a path."""
    plain = text.lower()
    if _DOUBTFUL.search(plain):
        return None
    known = _SCP.fullmatch(plain)
    return _named(known[1], known[2]) if known else _of_url(plain)


def is_url(text: str) -> bool:
    """Whether a text as a whole is an address with a scheme, of GitHub or not."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", text.strip()) is not None


def api_repository_of(path: str) -> str | None:
    """The repository of an API path such as `repos/owner/repo/pulls`, with or without the host."""
    plain = path.strip().lower().split("?", 1)[0].split("#", 1)[0]
    if _DOUBTFUL.search(plain):
        return None
    plain = plain.removeprefix(f"https://{_API_HOST}").strip("/")
    parts = plain.split("/")
    if len(parts) < 3 or parts[0] != "repos" or not _is_straight(parts):
        return None
    return _pair(f"{parts[1]}/{parts[2]}")


def _of_url(plain: str) -> str | None:
    try:
        address = urlsplit(plain)
        host = address.hostname
    except ValueError:
        return None
    if address.scheme not in _SCHEMES:
        return None
    if host == _API_HOST:
        return api_repository_of(address.path)
    parts = address.path.removesuffix("/").split("/")[1:]
    if host not in _WEB_HOSTS or len(parts) < 2 or not _is_straight(parts):
        return None
    return _pair("/".join(parts[:2]))


def _is_straight(parts: list[str]) -> bool:
    return not any(part in {"", ".", ".."} for part in parts)


def _pair(plain: str) -> str | None:
    known = _PAIR.fullmatch(plain)
    return _named(known[1], known[2]) if known else None


def _named(owner: str, repo: str) -> str | None:
    name = repo.removesuffix(".git")
    return None if name in {"", ".", ".."} else f"{owner}/{name}"
