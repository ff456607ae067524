"""/v1/sessions/{id}/policies."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from policies_app.bodies import PolicyBody, PolicyChanges
from sessions_app.api.answers import caller, json_answer
from sessions_app.api.shapes import policies as shapes
from sessions_app.api.writing import answer, once
from sessions_app.running import running_process
from sessions_app.services import effective_policies, session_policies
from sessions_app.services.receipts import Answer


class PolicyCollection(APIView):
    """The policies of a session."""

    @describes(shapes.SessionPolicies)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """All of them in the order in which they run: the session's own, its agent's, those of the server."""
        data = session_policies.list_policies(principal=caller(request), session_id=session_id)
        return json_answer({"object": "list", "data": data})

    @describes(shapes.SessionPolicyShape, body=PolicyBody, refuses=(409,))
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Add one; 200 with the policy. It holds from the next action on."""
        body = parse(PolicyBody, request.body)

        def work() -> Answer:
            added = session_policies.create_policy(
                principal=caller(request), session_id=session_id, new=body.new_policy()
            )
            return answer(session_policies.shown(added))

        return once(request, work)


class EffectivePolicies(APIView):
    """The chain of a session."""

    @describes(shapes.EffectivePolicies)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """Everything that its actions are put to, in order, and why each policy is there."""
        process = running_process()
        data = effective_policies.effective(
            principal=caller(request), session_id=session_id, chains=process.policies.chains
        )
        return json_answer({"object": "list", "data": data})


class PolicyResource(APIView):
    """One policy of the session itself."""

    @describes(shapes.SessionPolicyShape)
    def get(self, request: Request, session_id: str, policy_id: str) -> HttpResponse:
        """The policy."""
        found = session_policies.find(principal=caller(request), session_id=session_id, policy_id=policy_id)
        return json_answer(session_policies.shown(found))

    @describes(shapes.SessionPolicyShape, body=PolicyChanges, refuses=(409,))
    def patch(self, request: Request, session_id: str, policy_id: str) -> HttpResponse:
        """Rename it, give it another handler, switch it on or off."""
        body = parse(PolicyChanges, request.body)

        def work() -> Answer:
            changed = session_policies.update_policy(
                principal=caller(request),
                session_id=session_id,
                policy_id=policy_id,
                changes=body.wanted(),
            )
            return answer(session_policies.shown(changed))

        return once(request, work)

    @describes(shapes.DeletedPolicy)
    def delete(self, request: Request, session_id: str, policy_id: str) -> HttpResponse:
        """Take it away; 200 also when it is gone already."""

        def work() -> Answer:
            session_policies.delete_policy(
                principal=caller(request), session_id=session_id, policy_id=policy_id
            )
            return answer({"deleted": True})

        return once(request, work)
