"""Routes of the agent registry, under /v1."""

from django.urls import path

from agents_app.api import AgentViewSet

urlpatterns = [
    path("v1/agents", AgentViewSet.as_view({"get": "list"}), name="agents"),
    path("v1/agents/<str:agent_id>", AgentViewSet.as_view({"get": "retrieve"}), name="agent"),
]
