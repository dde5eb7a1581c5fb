# One image for the API and the workers; which of the two runs is a matter of the command.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 RAY_USAGE_STATS_ENABLED=0 \
    NUMBA_CACHE_DIR=/tmp/numba
WORKDIR /app

COPY pyproject.toml constraints.txt README.md ./
COPY mtnas mtnas
COPY search_spaces search_spaces
COPY api api
COPY workers workers
RUN pip install --no-cache-dir --constraint constraints.txt '.[service,postgresql,demo]' \
    && useradd --uid 1000 --create-home mtnas && mkdir /state && chown mtnas /state

USER mtnas
CMD ["python", "-m", "api"]
