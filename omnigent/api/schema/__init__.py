"""The OpenAPI document: what views say of themselves, put together by drf-spectacular, and its pages."""
