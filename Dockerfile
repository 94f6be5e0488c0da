# ct2pet in a container: docker build -t ct2pet .
# docker run --rm --gpus all -v "$PWD/data:/data" ct2pet train 001 pix2pix all
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY setup.py pyproject.toml constraints.txt README.md LICENSE ./
COPY ct2pet ct2pet
COPY dataset_conversion dataset_conversion
COPY plans plans
RUN python -m venv /opt/ct2pet \
    && /opt/ct2pet/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/ct2pet /opt/ct2pet
RUN useradd --create-home --uid 1000 ct2pet \
    && mkdir -p /data/raw /data/preprocessed /data/results \
    && chown -R ct2pet /data
ENV PATH=/opt/ct2pet/bin:$PATH \
    ct2pet_raw=/data/raw \
    ct2pet_preprocessed=/data/preprocessed \
    ct2pet_results=/data/results
USER 1000
WORKDIR /data
ENTRYPOINT ["ct2pet"]
CMD ["--help"]
