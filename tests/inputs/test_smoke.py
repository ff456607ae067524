from tests.inputs.fake_runner import FakeRunner, turn
from tests.inputs.rig import Rig


async def test_a_message_is_delivered_and_its_turn_is_shown(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    item_id = await rig.say(session_id, "hello")
    await rig.delivered(session_id)
    assert runner.messages == [item_id]
    await runner.tell(session_id, *turn("resp_1", "a", "b"))
    shown = await rig.becomes(session_id, "idle")
    print([x for x in await rig.log(session_id)])
    assert len(await rig.items(session_id)) == 2
