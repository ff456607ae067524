"""A small OpenID Connect provider on loopback: code flow with PKCE, signed tokens, and ways to be wrong."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID = "omnigent"
CLIENT_SECRET = "a secret between the two"
HOUR = 3600
Claims = dict[str, Any]
Fields = Mapping[str, str]


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Provider:
    """What it answers. Tests change the fields; `sign` makes a token of the claims."""

    url: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    person: Claims = field(default_factory=dict)
    changes: Claims = field(default_factory=dict)
    userinfo: Claims | None = None
    sign: Callable[["Provider", Claims], str] | None = None
    error: str = ""
    is_broken: bool = False
    asked: dict[str, Fields] = field(default_factory=dict)

    def reset(self) -> None:
        """An honest provider with Ines in front of it."""
        self.person = {"sub": "ines-1", "email": "ines@example.org", "email_verified": True}
        self.changes, self.userinfo, self.sign = {}, None, None
        self.error, self.is_broken = "", False

    def configuration(self) -> Claims:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> Claims:
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}

    def authorize(self, query: Fields) -> str:
        """Where the browser is sent back to, with a code."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        assert len(query["state"]) >= 16
        back = {"state": query["state"]}
        if self.error:
            back["error"] = self.error
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.asked[back["code"]] = query
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form: Fields) -> Claims | None:
        """What a code is worth, once; None for one that is not."""
        query = self.asked.pop(form.get("code", ""), None)
        if query is None or form.get("client_secret") != CLIENT_SECRET:
            return None
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if challenge != query["code_challenge"] or form.get("redirect_uri") != query["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + HOUR,
            "nonce": query.get("nonce"),
            **self.person,
            **self.changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        sign = self.sign or signed
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": sign(self, claims)}


def signed(provider: Provider, claims: Claims) -> str:
    """As it should be."""
    return jwt.encode(claims, provider.key, algorithm="RS256", headers={"kid": "one"})


def signed_by_another(provider: Provider, claims: Claims) -> str:
    """By a key that is not the provider's, under the name of one that is."""
    return jwt.encode(claims, new_key(), algorithm="RS256", headers={"kid": "one"})


def signed_by_an_unknown_key(provider: Provider, claims: Claims) -> str:
    return jwt.encode(claims, new_key(), algorithm="RS256", headers={"kid": "two"})


def not_signed(provider: Provider, claims: Claims) -> str:
    return jwt.encode(claims, None, algorithm="none", headers={"kid": "one"})


def signed_with_the_client_secret(provider: Provider, claims: Claims) -> str:
    return jwt.encode(claims, CLIENT_SECRET * 2, algorithm="HS256", headers={"kid": "one"})


def changed_afterwards(provider: Provider, claims: Claims) -> str:
    head, _, tail = signed(provider, claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "ada-1"}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{tail}"


def without_a_key_id(provider: Provider, claims: Claims) -> str:
    return jwt.encode(claims, provider.key, algorithm="RS256")


def nonsense(provider: Provider, claims: Claims) -> str:
    return "no.token.at-all"


class Handler(BaseHTTPRequestHandler):
    """Hands requests to the provider of its server."""

    server: "Server"

    def do_GET(self) -> None:
        provider, parts = self.server.provider, urlsplit(self.path)
        known = {"/.well-known/openid-configuration": provider.configuration, "/keys": provider.keys}
        if provider.is_broken:
            self.send(500, b"<html>", "text/html")
        elif parts.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", provider.authorize(dict(parse_qsl(parts.query))))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif parts.path == "/userinfo":
            self.send_json(provider.userinfo or {})
        else:
            self.send_json(known[parts.path]())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
        provider = self.server.provider
        answer = None if provider.is_broken else provider.token(dict(parse_qsl(raw)))
        if answer is None:
            self.send_json({"error": "invalid_grant"}, 400)
        else:
            self.send_json(answer)

    def send_json(self, body: object, status: int = 200) -> None:
        self.send(status, json.dumps(body).encode(), "application/json")

    def send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """A free port of loopback."""

    daemon_threads = True

    def __init__(self, provider: Provider) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.provider = provider


@contextmanager
def running_provider() -> Iterator[Provider]:
    """An honest provider that answers until the end of the block."""
    provider = Provider()
    provider.reset()
    server = Server(provider)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
