"""What the OpenAPI document says of the protocol endpoints, which are plain routes."""

from fastapi import FastAPI


def document_protocol(app: FastAPI, public_url: str) -> None:
    """Add the protocol endpoints to the application's OpenAPI document."""
