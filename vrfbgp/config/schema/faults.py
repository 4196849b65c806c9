"""What a validator raises: a pydantic error whose type is the `Reason` that the user is told."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


def wrong_type(text: str, field: str = "") -> PydanticCustomError:
    """The value is missing, or of another type or form than is wanted; `text` says which is.

    `field` is, here and below, the field of the model that raises, if a model does.
    """
    return PydanticCustomError("wrong-type", "{text}", {"text": text, "field": field})


def out_of_range(text: str, field: str = "") -> PydanticCustomError:
    """The value is of the right form, and none that is allowed."""
    return PydanticCustomError("out-of-range", "{text}", {"text": text, "field": field})


def exclusive(text: str, field: str = "") -> PydanticCustomError:
    """Fields that exclude each other."""
    return PydanticCustomError("exclusive-fields", "{text}", {"text": text, "field": field})
