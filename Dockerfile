# docker build --target book -t kdutils .       and then: docker run --rm -p 8000:8000 kdutils
# docker build --target grading -t kdutils-grading .      `make grade SUBMISSIONS=folder CONTAINER=1` does it, and runs it
FROM python:3.11-slim AS installed
# Any version of make will do.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /kdutils
# An index with PyTorch's CPU builds may be named here; without it pip brings CUDA along.
ARG PIP_EXTRA_INDEX_URL=""
COPY . .
RUN make install PYTHON=python3

FROM installed AS book
RUN make book
EXPOSE 8000
CMD [".venv/bin/python", "-m", "http.server", "8000", "--directory", "_build/html"]

# Root keeps the gradebook and runs each submission as `nobody`; `make grade` starts this without network, with the rights
# for that alone and nothing to write but the grades.
FROM installed AS grading
ENV HOME=/tmp
ENTRYPOINT ["/kdutils/.venv/bin/kdutils", "grade", "/submissions", "--out", "/grades"]
