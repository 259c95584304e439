# The serving image: the API and the command line, without torch (train elsewhere, share the home).
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    NUMBA_CACHE_DIR=/app/.numba \
    OFFERPATH_HOME=/home/offerpath/data

WORKDIR /app
COPY requirements/serve.txt requirements/serve.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/serve.txt

COPY . .
RUN pip install --no-cache-dir --no-deps --editable . \
    && python -m compileall -q api cli core evaluation gnn graph loaders matching reports scoring synthetic \
    && useradd --create-home offerpath \
    && mkdir -p "$OFFERPATH_HOME" "$NUMBA_CACHE_DIR" \
    && chown -R offerpath "$OFFERPATH_HOME" "$NUMBA_CACHE_DIR"

USER offerpath
# Kernels are compiled once, so that the first request does not wait for them.
RUN python -m scoring.warm

EXPOSE 8000
CMD ["offerpath", "serve"]
