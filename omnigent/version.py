"""The version that the server reports."""

VERSION = "0.1.0"
