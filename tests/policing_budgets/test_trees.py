"""Budgets of whole trees of sessions: what crosses them stops everybody, at once and once."""

from policies_app.services.verification import verify
from tests.policing_budgets.spending import COST, Spending, denied, made

SPENT = "This session has spent $1.20 of the limit of $1.00. All models are blocked."


async def test_a_sub_agent_that_crosses_the_limit_stops_the_whole_tree(rig: Spending) -> None:
    top = await rig.top()
    child, resting = await rig.below(top), await rig.below(top, "a:resting")
    await rig.attach(top, "cap", f"{COST}.cost_budget", max_cost_usd=1.0)
    await rig.runs(top, child)
    await rig.spends(top, 0.7)
    await rig.judged()
    assert (await rig.interruptions(top), await rig.interruptions(child)) == (0, 0)

    await rig.spends(child, 0.5)

    await rig.interrupted(top, child)
    await rig.judged()
    assert await rig.interruptions(resting) == 0
    (stop,) = await rig.stops()
    assert (stop.verdict, stop.policy_name, stop.session_id) == ("deny", "cap", top)
    assert stop.reason == f"{SPENT} 2 running sessions were interrupted."
    for session_id in (top, child):
        told = denied(await rig.use(session_id, operation=f"mcpop_{session_id}"))
        assert told.startswith(f"Denied by policy: {SPENT} Tell the user this and wait")
        assert await rig.refusal(session_id) == SPENT
    assert rig.runner.executed == []
    assert await rig.run(verify) is None


async def test_a_tree_is_stopped_once_whatever_else_it_reports(rig: Spending) -> None:
    top = await rig.top()
    child = await rig.below(top)
    await rig.attach(top, "cap", f"{COST}.cost_budget", max_cost_usd=1.0)
    await rig.runs(top, child)
    await rig.spends(child, 1.2)
    await rig.interrupted(top, child)

    for dollars in (1.3, 1.4, 1.5):
        await rig.spends(child, dollars)
        await rig.judged()
    await rig.process.enforcer.enforce()

    await rig.interrupted(top, child)
    assert len(await rig.stops()) == 1


async def test_a_session_alone_is_stopped_by_its_own_report(rig: Spending) -> None:
    top, other = await rig.top(), await rig.top()
    await rig.everywhere("cap", f"{COST}.cost_budget", max_cost_usd=1.0)
    await rig.runs(top, other)

    await rig.spends(top, 1.2)

    await rig.interrupted(top)
    await rig.judged()
    assert await rig.interruptions(other) == 0


async def test_a_limit_for_expensive_models_lets_the_cheaper_ones_go_on(rig: Spending) -> None:
    top = await rig.top(model_override="opus-9")
    cheap = await rig.below(top, model_override="haiku-9")
    await rig.attach(top, "cap", f"{COST}.cost_budget", max_cost_usd=1.0, expensive_models=["opus"])
    await rig.runs(top, cheap)

    await rig.spends(cheap, 1.2)

    await rig.interrupted(top)
    await rig.judged()
    assert await rig.interruptions(cheap) == 0
    assert made(await rig.use(cheap, operation="mcpop_cheap"))
    assert "switch to a cheaper model" in denied(await rig.use(top, operation="mcpop_top"))


async def test_a_question_of_one_budget_does_not_hide_the_limit_of_another(rig: Spending) -> None:
    top = await rig.top()
    await rig.attach(top, "soft", f"{COST}.cost_budget", ask_thresholds_usd=[0.5])
    await rig.attach(top, "hard", f"{COST}.cost_budget", max_cost_usd=1.0)
    await rig.runs(top)

    await rig.spends(top, 1.2)

    await rig.interrupted(top)
    (stop,) = await rig.stops()
    assert stop.policy_name == "hard"


async def test_a_budget_in_shadow_stops_nobody(rig: Spending) -> None:
    top = await rig.top()
    await rig.attach(top, "cap", f"{COST}.cost_budget", more={"mode": "shadow"}, max_cost_usd=1.0)
    await rig.runs(top)

    await rig.spends(top, 1.2)

    await rig.judged()
    assert (await rig.interruptions(top), await rig.stops()) == (0, [])


async def test_what_a_sub_agent_says_of_its_cost_for_policies_counts(rig: Spending) -> None:
    top = await rig.top()
    child = await rig.below(top)
    await rig.attach(top, "cap", f"{COST}.cost_budget", max_cost_usd=1.0)
    await rig.runs(top, child)

    await rig.spends(child, 0.1, policy_cost_usd=1.2)

    await rig.interrupted(top, child)
    assert await rig.refusal(top) == SPENT


async def test_a_threshold_asks_once_and_the_root_remembers_the_approval(rig: Spending) -> None:
    top = await rig.top()
    child = await rig.below(top)
    await rig.attach(top, "soft", f"{COST}.cost_budget", max_cost_usd=5.0, ask_thresholds_usd=[1.0, 2.0])
    await rig.runs(top, child)
    await rig.spends(child, 1.2)
    await rig.judged()

    asked = await rig.use(child, operation="mcpop_1")
    question = await rig.question(child)
    await rig.settle(child)

    assert asked["result"]["resultType"] == "input_required"
    assert "passed the threshold of $1.00" in question["params"]["message"]
    assert made(await rig.use(child, operation="mcpop_1"))
    assert await rig.remembered(top) == {"_policy_cost_ask_approved_usd": 1.0}
    assert await rig.remembered(child) == {}
    for session_id, operation in ((child, "mcpop_2"), (top, "mcpop_3")):
        assert made(await rig.use(session_id, operation=operation))
    assert (await rig.interruptions(top), await rig.interruptions(child)) == (0, 0)


async def test_a_model_without_a_price_is_asked_about_once(rig: Spending) -> None:
    top = await rig.top()
    child = await rig.below(top)
    await rig.attach(top, "cap", f"{COST}.cost_budget", max_cost_usd=5.0)
    await rig.runs(top, child)
    await rig.spends(child, cumulative_input_tokens=10, model="new")
    await rig.judged()

    await rig.use(top, operation="mcpop_1")
    message = (await rig.question(top))["params"]["message"]
    await rig.settle(top)

    assert "is not known" in message
    for session_id, operation in ((top, "mcpop_1"), (top, "mcpop_2"), (child, "mcpop_3")):
        assert made(await rig.use(session_id, operation=operation))
    assert await rig.remembered(top) == {"_policy_cost_unpriced_approved": True}
