# The course in a container, as an ordinary user:
#   docker build -t measured-defense . && docker run --rm -it -p 127.0.0.1:8888:8888 measured-defense
# prints the address of lesson 00. With CUDA: docker build --build-arg TORCH=cuda, and docker run --gpus all.
FROM python:3.12-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 --shell /bin/bash learner
ENV PIP_NO_CACHE_DIR=1
USER learner

FROM base AS course
ARG TORCH=cpu
WORKDIR /home/learner/measured-defense
COPY --chown=learner . .
RUN TORCH=$TORCH .devcontainer/setup.sh
EXPOSE 8888
CMD ["make", "lab", "HEADLESS=--no-browser --ip=0.0.0.0"]
