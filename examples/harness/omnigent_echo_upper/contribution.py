"""What the harness is; this is what the package's entry point names."""

from omnigent.runner.harnesses.contributions import HarnessContribution
from omnigent.runner.harnesses.rows import HarnessRow
from omnigent.spec.capabilities import Capabilities

ECHO_UPPER = HarnessContribution(
    name="echo-upper",
    label="Echo in capitals",
    aliases=("shout",),
    row=HarnessRow(adapter="omnigent_echo_upper.model:EchoUpper", default_model="upper-1"),
    capabilities=Capabilities(
        integration_mode="sdk-in-process",
        elicitation="hook",
        resume="cold-only",
        model_family="multi",
        auth="session-scoped-config",
        images=False,
    ),
    setup_steps=("Install the package omnigent-echo-upper.",),
)
