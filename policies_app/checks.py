"""System checks of the policy settings: each problem has an id and a hint."""

from django.core.checks import CheckMessage, Error

from policies_app.catalogue import Catalogue


def check_catalogue(catalogue: Catalogue) -> list[CheckMessage]:
    """What an operator asked for and does not get; a policy that is not applied would let things pass."""
    return [
        *(
            Error(
                f"The policy config file: {words}.",
                hint="Correct the file that OMNIGENT_POLICY_CONFIG names.",
                obj="OMNIGENT_POLICY_CONFIG",
                id="policies_app.E001",
            )
            for words in catalogue.problems
        ),
        *(
            Error(
                f"The policy module {words}.",
                hint="Install it where the server can import it, or take it out of OMNIGENT_POLICY_MODULES"
                " and policy_modules.",
                obj="OMNIGENT_POLICY_MODULES",
                id="policies_app.E002",
            )
            for words in catalogue.missing
        ),
        *(
            Error(
                f"What url policies may reach: {words}.",
                hint="List host names, addresses and networks in OMNIGENT_OUTBOUND_ALLOWED, as 10.0.0.0/24,"
                " and numbers in OMNIGENT_OUTBOUND_PORTS.",
                obj="OMNIGENT_OUTBOUND_ALLOWED",
                id="policies_app.E003",
            )
            for words in (catalogue.outbound_problem,)
            if words
        ),
    ]
