"""The models that a harness can sample from here, as far as that is known without asking its vendor."""

from collections.abc import Mapping

from omnigent.protocol.host_frames import ModelOptions, ModelOptionsResult
from omnigent.runner.harnesses.rows import HarnessRow
from omnigent.spec import harnesses


class ModelMenu:
    """Answers for the harnesses of this machine; `environ` is what runners get."""

    def __init__(self, environ: Mapping[str, str], rows: Mapping[str, HarnessRow]) -> None:
        self._environ = environ
        self._rows = rows

    async def answer(self, ask: ModelOptions) -> ModelOptionsResult:
        """The model that a session gets when neither it nor its agent names one; any other may be named."""
        row = self._rows.get(harnesses.canonical(ask.harness) or ask.harness)
        if row is None:
            return ModelOptionsResult(
                request_id=ask.request_id, status="failed", error=f"no harness {ask.harness[:100]!r} here"
            )
        model = row.model_with(self._environ)
        shown = {"id": model, "model": model, "displayName": model, "isDefault": True}
        return ModelOptionsResult(request_id=ask.request_id, status="ok", models=(shown,))
