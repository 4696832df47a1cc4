"""What all data of the rules have in common, whether they come from a file, a person or a step."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]


class FrozenModel(BaseModel):
    """Data that are never changed once they are made, and that take no field that they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
