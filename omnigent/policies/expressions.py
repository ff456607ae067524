"""CEL expressions over an event, evaluated within a budget of steps so that none can run away."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import celpy
from celpy import celtypes
from celpy.celparser import CELParseError, CELParser
from celpy.evaluation import Activation, CELEvalError, Evaluator
from lark import Tree

from omnigent.policies.answers import is_reserved
from omnigent.policies.calls import Answer, Event, Handler, phase_of, user_text
from omnigent.policies.types import Action, Phase

BUDGET = 30_000
ELEMENT = 20
_INT64 = range(-(2**63), 2**63)


class CelFault(ValueError):
    """The expression cannot be evaluated on this event, or gives no answer."""


def handler_of(expression: str, reason: str) -> Handler:
    """Decides by an expression, with `reason` where it gives none. Raises ValueError for what is no CEL."""
    tree = _compiled(expression)

    def decide(event: Event) -> Answer | None:
        return _answer(_evaluated(tree, _shown(event)), reason)

    return decide


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Tree[Any]:
    # Chains are built for every evaluation, and parsing takes ten times as long as evaluating.
    # celpy.Environment would raise the interpreter's recursion limit for the whole process.
    try:
        tree = CELParser().parse(expression)
    except CELParseError as error:
        raise ValueError(f"expression is not CEL: {str(error).strip()}") from error
    except RecursionError as error:
        raise ValueError("expression is nested too deeply") from error
    names = {str(child.children[1]) for child in tree.find_data("member_dot_arg")}
    if "reduce" in names:
        raise ValueError("expression uses reduce(), which is not CEL")
    return tree


def _evaluated(tree: Tree[Any], event: dict[str, Any]) -> Any:
    activation = Activation(annotations=dict(celpy.googleapis))
    evaluator = _Bounded(tree, activation, _Budget(BUDGET))
    try:
        return evaluator.evaluate({"event": _to_cel(event)})
    except CELEvalError as error:
        raise CelFault(f"expression failed: {error.args[0] if error.args else 'unknown error'}") from error
    except RecursionError as error:
        raise CelFault("expression is nested too deeply") from error


class _Budget:
    def __init__(self, units: int) -> None:
        self._left = units

    def spend(self, units: int = 1) -> None:
        self._left -= units
        if self._left < 0:
            raise CelFault(f"expression takes more than {BUDGET} steps")

    def weigh(self, value: object) -> None:
        """Spend by size: values that share parts are small in memory but not for those who walk them."""
        left = [value]
        while left:
            item = left.pop()
            self.spend(1 + (len(item) >> 8 if isinstance(item, str | bytes) else 0))
            if isinstance(item, dict):
                left += item.values()
            elif isinstance(item, list):
                left += item


class _Bounded(Evaluator):
    """The library's evaluator, counting what it visits and what it makes."""

    def __init__(self, ast: Tree[Any], activation: Activation, budget: _Budget) -> None:
        super().__init__(ast, activation)
        self._budget = budget

    def sub_evaluator(self, ast: Tree[Any]) -> Evaluator:
        return _Bounded(ast, self.activation, self._budget)

    def evaluate(self, context: Mapping[str, Any] | None = None) -> Any:
        # Once for every element that a macro goes through, each time with a copy of what is in scope.
        self._budget.spend(ELEMENT)
        return super().evaluate(context)

    def visit_children(self, tree: Tree[Any]) -> list[Any]:
        self._budget.spend()
        return super().visit_children(tree)

    def addition(self, tree: Tree[Any]) -> Any:
        # Every operand, element and argument passes through this rule of the grammar once.
        value = super().addition(tree)
        self._budget.weigh(value)
        return value


def _shown(event: Event) -> dict[str, Any]:
    shown = {key: value for key, value in event.items() if key != "llm_client"}
    if phase_of(event) == Phase.REQUEST:
        shown["data"] = user_text(event)
    return shown


def _to_cel(value: object) -> Any:
    """JSON as CEL values; integers beyond 64 bits become doubles."""
    if isinstance(value, Mapping):
        return celtypes.MapType({celtypes.StringType(str(key)): _to_cel(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return celtypes.ListType([_to_cel(item) for item in value])
    if isinstance(value, bool) or value is None:
        return None if value is None else celtypes.BoolType(value)
    if isinstance(value, int) and value in _INT64:
        return celtypes.IntType(value)
    if isinstance(value, int | float):
        return celtypes.DoubleType(float(value))
    return celtypes.StringType(str(value))


def _answer(value: Any, reason: str) -> Answer | None:
    if value is None or value == {}:
        return None
    if not isinstance(value, Mapping):
        raise CelFault("expression must give a map with a result")
    given = _from_cel(value)
    action = Action.parse(given.get("result"))
    if action is None:
        raise CelFault("expression must give a result: allow, deny or ask")
    answer: Answer = {"result": action.value}
    if action is not Action.ALLOW:
        answer["reason"] = str(given.get("reason") or reason)
    if "state_updates" in given:
        answer["state_updates"] = _checked(given["state_updates"])
    return answer


def _checked(updates: object) -> list[Any]:
    if not isinstance(updates, list):
        raise CelFault("state_updates must be a list")
    for update in updates:
        key = update.get("key") if isinstance(update, Mapping) else None
        if not isinstance(key, str) or is_reserved(key):
            raise CelFault(f"state_updates may not write {key!r}")
    return updates


def _from_cel(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _from_cel(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_cel(item) for item in value]
    if value is None or isinstance(value, celtypes.BoolType):
        return None if value is None else bool(value)
    if isinstance(value, float):
        return float(value)
    return int(value) if isinstance(value, int) else str(value)
