"""Kill switches in the admin: thrown and taken back, each after a question."""

from typing import Any

import pytest

from policies_app.models import KillSwitch
from policies_app.services.revisions import current_revision
from tests.factories import make_host
from tests.policies_rest.admin_pages import SWITCHES, YES, errors, text_of
from tests.policies_rest.people import local

pytestmark = pytest.mark.django_db
MIA = {"kind": "user", "target": "mia", "reason": "on leave"}


def throw(**fields: str) -> Any:
    return local().post(f"{SWITCHES}add/", {**MIA, **fields})


@pytest.mark.parametrize("kind", ["agent", "user", "host"])
def test_a_switch_is_thrown_after_a_question(kind: str) -> None:
    before = current_revision()

    asked = throw(kind=kind)
    assert f"Stop the {kind} “mia”?" in text_of(asked)
    assert not KillSwitch.objects.exists()

    assert throw(kind=kind, **YES).status_code == 302
    switch = KillSwitch.objects.get()
    assert (switch.kind, switch.target, switch.reason) == (kind, "mia", "on leave")
    assert current_revision() > before
    assert "mia" in text_of(local().get(SWITCHES))


def test_one_is_taken_back_after_a_question() -> None:
    throw(**YES)
    address = f"{SWITCHES}{KillSwitch.objects.get().pk}/delete/"

    assert "Let the user “mia” go on?" in text_of(local().get(address))
    local().post(address)
    assert KillSwitch.objects.exists()

    assert local().post(address, YES).status_code == 302
    assert not KillSwitch.objects.exists()
    assert local().post(address, YES).status_code == 404


def test_what_is_stopped_already_is_said_at_the_target() -> None:
    throw(**YES)

    assert "already" in errors(throw(**YES))["target"][0]


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"kind": "planet"}, "kind"), ({"target": " "}, "target"), ({"target": "x" * 151}, "target"),
     ({"target": "a\u202eb"}, "target"), ({"reason": "r" * 2001}, "reason")],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field(fields: dict[str, str], field: str) -> None:
    assert errors(throw(**fields, **YES))[field]
    assert not KillSwitch.objects.exists()


def test_a_host_leads_to_its_switch() -> None:
    host = make_host()

    page = local().get("/admin/sessions_app/host/").content.decode()
    address = f"{SWITCHES}add/?kind=host&amp;target={host.public_id}"
    form = local().get(address.replace("&amp;", "&")).content.decode()

    assert address in page
    assert f'value="{host.public_id}"' in form
