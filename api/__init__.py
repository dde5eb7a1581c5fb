"""The web service: FastAPI over the store. Never imports torch or ray."""
