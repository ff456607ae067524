"""The error of an item that cannot be stored."""


class InvalidItem(ValueError):
    """Item data that does not fit its type; the text is shown to the client."""
