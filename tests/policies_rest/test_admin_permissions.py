"""Who sees the policy screen: administrators; of other staff, those with Django's permissions for it."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings

from omnigent.accounts.models import User
from omnigent.accounts.principal import Principal
from policies_app.models import DefaultPolicy, KillSwitch
from policies_app.services import default_policies
from tests.policies_rest.admin_pages import DECISIONS, POLICIES, SWITCHES, YES, add
from tests.policies_rest.log import append, new
from tests.policies_rest.people import ASK, HOST, local, person

pytestmark = pytest.mark.django_db
PAGES = (
    POLICIES,
    DECISIONS,
    SWITCHES,
    "/admin/policies_app/policyversion/",
    "/admin/sessions_app/elicitation/",
)


@pytest.fixture
def staff(settings: Settings) -> Client:
    """Somebody of the staff who has the permissions of Django's tables, and no more than those."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    user = User.objects.create_user(username="stan", is_staff=True)
    client = Client(headers={"host": HOST})
    client.force_login(user)
    return client


def permit(*names: str) -> None:
    """Give permissions by their names, as `view_decision`."""
    user = User.objects.get(username="stan")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))


def test_the_person_at_a_single_user_server_sees_everything() -> None:
    for path in PAGES:
        assert local().get(path).status_code == 200
    index = local().get("/admin/").content.decode()
    assert all(path in index for path in PAGES)


@pytest.mark.parametrize("rights", [{}, {"is_auditor": True}], ids=["member", "auditor"])
@pytest.mark.parametrize("path", PAGES)
def test_whoever_is_no_administrator_is_led_to_the_login(
    settings: Settings, rights: dict[str, bool], path: str
) -> None:
    client = person(settings, "mia", **rights)

    assert client.get(path).status_code == 302
    assert client.get(path).headers["location"].startswith("/admin/login/")


def test_staff_without_the_permission_sees_nothing_of_it(staff: Client) -> None:
    policy = make_policy()
    append(new())
    paths = [*PAGES, f"{POLICIES}add/", f"{POLICIES}{policy.pk}/change/", f"{DECISIONS}1/change/"]

    assert [path for path in paths if staff.get(path).status_code != 403] == []
    assert "policies_app" not in staff.get("/admin/").content.decode()


def test_whoever_may_only_look_changes_nothing(staff: Client) -> None:
    policy = make_policy()
    permit("view_defaultpolicy", "view_policyversion", "view_decision", "view_killswitch")
    history = f"{POLICIES}history/{policy.public_id}/"
    page = staff.get(f"{POLICIES}{policy.pk}/change/")

    assert page.status_code == staff.get(history).status_code == staff.get(POLICIES).status_code == 200
    assert "Save for every session" not in page.content.decode()
    writes = {
        f"{POLICIES}{policy.pk}/disable/": YES,
        f"{POLICIES}{policy.pk}/delete/": YES,
        f"{POLICIES}{policy.pk}/change/": {"name": "b", "version": "1"},
        f"{history}1/": YES,
        f"{SWITCHES}add/": {"kind": "user", "target": "mia", **YES},
    }
    assert [path for path, body in writes.items() if staff.post(path, body).status_code != 403] == []
    assert add(staff, ASK).status_code == 403
    assert DefaultPolicy.objects.get().enabled
    assert not KillSwitch.objects.exists()


def test_the_tabs_lead_only_to_what_may_be_seen(staff: Client) -> None:
    permit("view_decision")

    page = staff.get(DECISIONS).content.decode()

    assert f'href="{DECISIONS}"' in page
    assert f'href="{POLICIES}"' not in page.split("policy-tabs")[1].split("</nav>")[0]


def make_policy() -> DefaultPolicy:
    ada = Principal(user_id="ada", is_admin=True)
    new_policy = default_policies.NewPolicy(name="a", type="python", handler=ASK)
    return default_policies.create_policy(principal=ada, new=new_policy)
