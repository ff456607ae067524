"""The page for somebody who could not be logged in by the other service."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def refusal(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    """Why, in our own words."""
    return render(request, "accounts/refused.html", {"reason": reason}, status=status)
