"""GET and POST /v1/tokens, DELETE /v1/tokens/{token_id}: the caller's personal access tokens."""

from datetime import timedelta

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.api import bodies, shapes
from omnigent.accounts.api.answers import answer, caller, token_row, whole_list
from omnigent.accounts.services import tokens
from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse


class TokenCollection(APIView):
    """The caller's tokens that can still be used."""

    @describes(shapes.TokenList)
    def get(self, request: Request) -> Response:
        """The newest first; never a secret."""
        rows = tokens.live_tokens(caller(request))
        return answer(whole_list([token_row(token) for token in rows]))

    @describes({201: shapes.NewTokenShape}, body=bodies.NewToken, is_keyed=False, refuses=(409,))
    def post(self, request: Request) -> Response:
        """A new token; `token` in the answer is its secret, shown this once."""
        body = parse(bodies.NewToken, request._request.body)
        minted = tokens.mint_token(
            principal=caller(request),
            name=body.name.strip(),
            scopes=body.scopes,
            lifetime=None if body.expires_in is None else timedelta(seconds=body.expires_in),
        )
        return answer({**token_row(minted.token), "token": minted.secret}, 201)


class TokenResource(APIView):
    """One of them."""

    @describes(shapes.DeletedToken, is_keyed=False)
    def delete(self, request: Request, token_id: str) -> Response:
        """Revoke it: from now on it opens nothing, and what it holds open is closed."""
        token = tokens.revoke(principal=caller(request), token_id=token_id)
        return answer({"id": token.public_id, "object": "access_token.deleted", "deleted": True})
