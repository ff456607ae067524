"""The ways in which a server knows its callers, each with the module of the documentation's example."""

from tests.e2e.program import ROOT
from tests.e2e.seed.people import PASSWORD, PERSON, behind_a_proxy, with_a_password
from tests.e2e.stack import Flavour

OPERATOR = {
    "PYTHONPATH": str(ROOT / "examples" / "policies"),
    "OMNIGENT_POLICY_MODULES": "github_mcp_policy",
}
MODES = {
    "single-user": Flavour(name="single-user", server="daphne", replicas=1, environ=OPERATOR),
    "header": Flavour(
        name="header",
        server="daphne",
        replicas=1,
        environ={
            **OPERATOR,
            "OMNIGENT_AUTH_MODE": "header",
            "OMNIGENT_TRUSTED_PROXIES": "127.0.0.1",
            "OMNIGENT_ADMINS": PERSON,
        },
        sign_in=behind_a_proxy,
    ),
    "accounts": Flavour(
        name="accounts",
        server="daphne",
        replicas=1,
        environ={
            **OPERATOR,
            "OMNIGENT_AUTH_MODE": "accounts",
            "OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME": PERSON,
            "OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD": PASSWORD,
        },
        sign_in=with_a_password,
    ),
}
