# All images, a target each: `docker build --target getdata -t k8s-pipe/getdata:0.1.0 .`
# The classic builder takes it as well.

ARG RUST_IMAGE=rust:1.95-slim-bookworm
# The workspace's.
ARG VERSION=0.1.0
# Where the sources are to be found, for whoever publishes images.
ARG SOURCE

# What cargo needs to know of the workspace to build its dependencies: manifests, and sources that say nothing. Its
# content, not its inputs' age, decides whether they are built again.
FROM ${RUST_IMAGE} AS manifests
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /workspace
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock -delete \
    && find . -type d -empty -delete \
    && find . -mindepth 2 -name Cargo.toml -printf '%h/src\n' | while read -r src; do \
        mkdir "$src" && echo '//! Nothing yet' > "$src/lib.rs" \
            && printf '//! Nothing yet\nfn main() {}\n' > "$src/main.rs"; done

FROM ${RUST_IMAGE} AS build
# What the images hold besides their program: the volume's place, and for getdata the names of those who own files there.
RUN mkdir /data /names \
    && printf 'root:x:0:0::/:\nnonroot:x:65532:65532::/:\n' > /names/passwd \
    && printf 'root:x:0:\nnonroot:x:65532:\n' > /names/group
# Programs that need no file beside them: the final images have none.
ENV RUSTFLAGS="-C target-feature=+crt-static"
# This machine's own, named so that the flags leave alone what runs during the build.
ENV CARGO_BUILD_TARGET=host-tuple
ARG PACKAGES="-p getdata -p text-to-csv -p csv-to-json -p json-to-api -p api -p dashboard -p data-prep"
WORKDIR /workspace
COPY --from=manifests /workspace .
RUN cargo build --release --locked $PACKAGES
COPY . .
# The sources are older than what was just built in their stead.
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + \
    && cargo build --release --locked $PACKAGES

# What all images share.
FROM scratch AS service
ARG VERSION
ARG SOURCE
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532

FROM service AS getdata
LABEL org.opencontainers.image.title="getdata" \
      org.opencontainers.image.description="Lists every entry below a directory into listing.txt"
COPY --from=build /names/ /etc/
COPY --from=build /workspace/target/*/release/getdata /
ENTRYPOINT ["/getdata"]

FROM service AS text-to-csv
LABEL org.opencontainers.image.title="text-to-csv" \
      org.opencontainers.image.description="Turns lines of text (listing.txt, or any by a pattern) into CSV"
COPY --from=build /workspace/target/*/release/text-to-csv /
EXPOSE 9090
ENTRYPOINT ["/text-to-csv"]

FROM service AS csv-to-json
LABEL org.opencontainers.image.title="csv-to-json" \
      org.opencontainers.image.description="Turns CSV (listing.csv, or any whose fields have names) into JSON, one document a line"
COPY --from=build /workspace/target/*/release/csv-to-json /
EXPOSE 9090
ENTRYPOINT ["/csv-to-json"]

FROM service AS json-to-api
LABEL org.opencontainers.image.title="json-to-api" \
      org.opencontainers.image.description="POSTs every document of listing.json to the api"
COPY --from=build /workspace/target/*/release/json-to-api /
EXPOSE 9090
ENTRYPOINT ["/json-to-api"]

FROM service AS api
LABEL org.opencontainers.image.title="api" \
      org.opencontainers.image.description="Answers every request with the name of its pod"
COPY --from=build /workspace/target/*/release/api /
EXPOSE 80 9090
ENTRYPOINT ["/api"]

FROM service AS dashboard
LABEL org.opencontainers.image.title="dashboard" \
      org.opencontainers.image.description="A page that shows the flow, live"
COPY --from=build /workspace/target/*/release/dashboard /
EXPOSE 8080 9090
ENTRYPOINT ["/dashboard"]

FROM service AS data-prep
LABEL org.opencontainers.image.title="data-prep" \
      org.opencontainers.image.description="Fetches a data set, cleans it, and puts it on the volume as CSV"
COPY --from=build /workspace/target/*/release/data-prep /
ENTRYPOINT ["/data-prep"]

# Programs whose libraries take minutes to compile, at the end: the classic builder builds every stage that comes before
# its target.
FROM ${RUST_IMAGE} AS build-sequential-job
ENV RUSTFLAGS="-C target-feature=+crt-static"
ENV CARGO_BUILD_TARGET=host-tuple
WORKDIR /workspace
COPY --from=manifests /workspace .
RUN cargo build --profile batch --locked -p sequential-job
COPY . .
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + \
    && cargo build --profile batch --locked -p sequential-job

FROM service AS sequential-job
LABEL org.opencontainers.image.title="sequential-job" \
      org.opencontainers.image.description="Runs the containers of a SequentialJob one after another"
COPY --from=build-sequential-job /workspace/target/*/batch/sequential-job-controller /
EXPOSE 9090 9443
ENTRYPOINT ["/sequential-job-controller"]

FROM ${RUST_IMAGE} AS build-data-pipeline
ENV RUSTFLAGS="-C target-feature=+crt-static"
ENV CARGO_BUILD_TARGET=host-tuple
WORKDIR /workspace
COPY --from=manifests /workspace .
RUN cargo build --profile batch --locked -p data-pipeline
COPY . .
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + \
    && cargo build --profile batch --locked -p data-pipeline

FROM service AS data-pipeline
LABEL org.opencontainers.image.title="data-pipeline" \
      org.opencontainers.image.description="Makes an hourly report of any tables, in five stages"
COPY --from=build-data-pipeline /workspace/target/*/batch/data-pipeline /
ENTRYPOINT ["/data-pipeline"]
