"""What an operator sees of the service behind a url policy: its breaker and how long it takes."""

from asgiref.sync import sync_to_async
from django.utils import timezone

from policies_app.models import DefaultPolicy
from policies_app.services import endpoints
from tests.policies.events import tool_call
from tests.policies.remote_service import json_answer, remote_service
from tests.policies_rest.admin_pages import POLICIES
from tests.policies_rest.people import local


def page_of(url: str) -> str:
    """The page of a policy that asks this address."""
    policy, _ = DefaultPolicy.objects.get_or_create(
        handler=url, defaults={"name": "gate", "type": "url", "created_at": timezone.now()}
    )
    return local().get(f"{POLICIES}{policy.pk}/change/").content.decode()


async def test_the_page_of_a_url_policy_shows_how_its_service_answers(transactional_db: None) -> None:
    async with remote_service(json_answer('{"result": "allow"}')) as service:
        endpoints.asks_through(service.policies)
        before = await sync_to_async(page_of)(service.url)
        await service.policy(tool_call("Bash"))
        after = await sync_to_async(page_of)(service.url)
        endpoints.asks_through(None)

    assert "has not asked it yet" in before
    assert "Latency of the last 1" in after
    assert "closed" in after
    assert "ms on average" in after
