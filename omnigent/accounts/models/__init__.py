"""Who may own things, and what proves who somebody is."""

from omnigent.accounts.models.device import DeviceLogin
from omnigent.accounts.models.invitation import Invitation, SetupToken
from omnigent.accounts.models.login import LoginSession, LoginThrottle
from omnigent.accounts.models.token import AccessToken
from omnigent.accounts.models.user import User

__all__ = ["AccessToken", "DeviceLogin", "Invitation", "LoginSession", "LoginThrottle", "SetupToken", "User"]
