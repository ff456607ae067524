"""/v1/policies and /v1/policy-registry."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from policies_app.api import shapes
from policies_app.api.writing import Answer, answer, caller, deleted, once
from policies_app.bodies import PolicyBody, PolicyChanges
from policies_app.catalogue import catalogue
from policies_app.models import DefaultPolicy
from policies_app.services import default_policies
from policies_app.showing import config_policy, default_policy


class DefaultPolicies(APIView):
    """The policies that apply to every session."""

    @describes(shapes.PolicyList)
    def get(self, request: Request) -> Response:
        """All of them, in the order in which they run."""
        stored = DefaultPolicy.objects.order_by("created_at", "id")
        rows = [default_policy(policy) for policy in stored]
        declared = [config_policy(policy) for policy in catalogue().config_policies]
        return Response({"object": "list", "data": [*rows, *declared]})

    @describes(shapes.DefaultPolicyShape, body=PolicyBody)
    def post(self, request: Request) -> HttpResponse:
        """A new one, in force from the next action of every session; administrators only."""
        new = parse(PolicyBody, request.body).new_policy()

        def work() -> Answer:
            return answer(default_policy(default_policies.create_policy(principal=caller(request), new=new)))

        return once(request, work)


class OneDefaultPolicy(APIView):
    """One of them."""

    @describes(shapes.DefaultPolicyShape, refuses=(404,))
    def get(self, request: Request, policy_id: str) -> Response:
        """As it is now."""
        return Response(default_policy(default_policies.find_policy(policy_id)))

    @describes(shapes.DefaultPolicyShape, body=PolicyChanges, refuses=(404,))
    def patch(self, request: Request, policy_id: str) -> HttpResponse:
        """Change it; administrators only."""
        changes = parse(PolicyChanges, request.body).wanted()

        def work() -> Answer:
            changed = default_policies.update_policy(
                principal=caller(request), policy_id=policy_id, changes=changes
            )
            return answer(default_policy(changed))

        return once(request, work)

    @describes({200: shapes.Deleted, 204: None})
    def delete(self, request: Request, policy_id: str) -> HttpResponse:
        """Delete it: 200, or 204 when it was gone already; administrators only."""

        def work() -> Answer:
            was_there = default_policies.delete_policy(principal=caller(request), policy_id=policy_id)
            return deleted(was_there=was_there)

        return once(request, work)


class PolicyRegistry(APIView):
    """The handlers that policies may name."""

    @describes(shapes.RegistryList)
    def get(self, request: Request) -> Response:
        """All that are meant to be picked, the server's own and those of the operator's modules."""
        registry = catalogue().registry
        rows = [registry.entry_json(entry) for entry in registry.listed()]
        return Response({"object": "list", "data": rows})
