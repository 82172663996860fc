"""The JSON of the producer API as pydantic models, used by the API and by the client."""
