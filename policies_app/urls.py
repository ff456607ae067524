"""Routes of the policy registry, under /v1."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
