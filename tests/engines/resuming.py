"""What an engine must know of a conversation that it, or somebody else, had before."""

import shutil
from pathlib import Path

from omnigent.runner.history import History
from tests.engines.rig import EngineRig, said
from tests.model_server import Call, Text


class EngineResumption(EngineRig):
    """Each line of the conversation reaches the model once, whatever happened to the engine's own files."""

    async def test_the_next_turn_knows_the_last(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted, ALBATROSS.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")

            await talk.turn("What was it?")

            seen = await talk.seen(2)
            assert seen.count("Remember PENGUIN") == 1
            assert seen.count("Noted, ALBATROSS.") == 1
            assert seen.count("What was it?") == 1

    async def test_another_engine_resumes_from_the_same_files(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted, ALBATROSS.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")
            await talk.close()

            await talk.turn("What was it?")

            seen = await talk.seen(2)
            assert seen.count("Remember PENGUIN") == 1
            assert seen.count("Noted, ALBATROSS.") == 1

    async def test_without_its_files_it_is_told_the_history(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            name = self.subject.offered("sys_lookup")
            call = Call(name, {"word": "HERON"}, "call_1")
            talk.server.script([call], [Text("Noted, ALBATROSS.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")
            await talk.close()
            shutil.rmtree(talk.state_dir)

            outcome = await talk.turn("What was it?")

            assert outcome.text == "You said it."
            seen = await talk.seen(3)
            assert seen.count("Remember PENGUIN") == 1
            assert seen.count("Noted, ALBATROSS.") == 1
            assert "HERON" in seen

    async def test_a_history_that_changed_wins_over_its_files(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted, ALBATROSS.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")
            await talk.close()
            talk.desk.history = History([said("user", "Summary: they spoke of a SEAGULL")])

            await talk.turn("What was it?")

            seen = await talk.seen(2)
            assert "SEAGULL" in seen
            assert "PENGUIN" not in seen
            assert "ALBATROSS" not in seen

    async def test_a_history_that_changed_wins_over_the_running_engine(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted, ALBATROSS.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")
            talk.desk.history = History([said("user", "Summary: they spoke of a SEAGULL")])

            await talk.turn("What was it?")

            seen = await talk.seen(2)
            assert "SEAGULL" in seen
            assert "PENGUIN" not in seen

    async def test_a_new_engine_is_told_the_history_of_another(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.history = History(
                [said("user", "Remember PENGUIN"), said("assistant", "Noted, ALBATROSS.")]
            )

            await talk.turn("What was it?")

            seen = await talk.seen(1)
            assert seen.count("Remember PENGUIN") == 1
            assert seen.count("Noted, ALBATROSS.") == 1
            assert seen.index("Remember PENGUIN") < seen.index("What was it?")

    async def test_the_model_can_change_between_turns(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted, ALBATROSS.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")

            await talk.turn("What was it?", model=self.subject.other_model)

            body = (await talk.server.request(2)).body
            assert body["model"] == self.subject.other_model
            assert str(body).count("Remember PENGUIN") == 1

    async def test_the_effort_can_change_between_turns(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN", reasoning_effort="low")

            await talk.turn("What was it?", reasoning_effort="high")

            first, second = (await talk.server.request(1)).body, (await talk.server.request(2)).body
            assert '"low"' in str(first).replace("'", '"')
            assert '"high"' in str(second).replace("'", '"')
            assert str(second).count("Remember PENGUIN") == 1

    async def test_the_instructions_can_change_between_turns(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")
            talk.instructions = "Answer in LATIN."

            await talk.turn("What was it?")

            seen = await talk.seen(2)
            assert "Answer in LATIN." in seen
            assert "Be brief." not in seen
            assert seen.count("Remember PENGUIN") == 1
