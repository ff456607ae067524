"""Routes of the agent registry, under /v1."""

from django.urls import path

from agents_app.api import AgentConfig, Agents, OneAgent

urlpatterns = [
    path("v1/agents", Agents.as_view(), name="agents"),
    path("v1/agents/<str:agent_id>", OneAgent.as_view(), name="agent"),
    path("v1/agents/<str:agent_id>/config", AgentConfig.as_view(), name="agent-config"),
]
