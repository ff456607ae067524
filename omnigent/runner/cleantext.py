"""Text from models and processes, made fit for JSON and for the database."""


def clean(text: str) -> str:
    """The text without NUL and lone surrogates; both become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
