"""Routes of the retry policy: what happens after a failure."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from dispatcher.api.dependencies import RuntimeDep
from dispatcher.core.retry.explain import explain
from dispatcher.schema import requests, responses

router = APIRouter(prefix="/v1/policy", tags=["policy"])


@router.get("/explanation")
async def explain_failure(
    runtime: RuntimeDep,
    error_type: Annotated[
        str, *requests.known_word(requests.ERROR_TYPES), Query(description="`http` stands for an HTTP status.")
    ],
    error_code: Annotated[int, Query(ge=0, le=1_000_000, description="The provider's error code, or the status.")],
) -> responses.Explanation:
    """Say what happens after a failure under the policy that this server uses, and why."""
    return responses.Explanation.model_validate(asdict(explain(error_type, error_code, runtime.policy)))
