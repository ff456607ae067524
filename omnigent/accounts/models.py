"""Who may own things: users."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person. The `username` is the user id that the API shows and that grants name."""

    class Meta(AbstractUser.Meta):
        pass
