# Paystream in one image: the program, and what a program needs of a system. It runs as a user without rights.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release --package paystream --bin paystream --features kurrentdb \
    && strip --strip-debug --output-file=/paystream target/release/paystream \
    && mkdir --mode=700 /data /keys

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /paystream /usr/local/bin/paystream
# Volumes take their owner and rights from here.
COPY --from=build --chown=nonroot:nonroot --chmod=700 /data /data
COPY --from=build --chown=nonroot:nonroot --chmod=700 /keys /keys
ENV PAYSTREAM_LISTEN=0.0.0.0:8080 \
    PAYSTREAM_DATA=/data \
    PAYSTREAM_LOG_FORMAT=json
USER nonroot
WORKDIR /data
VOLUME ["/data", "/keys"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=6 CMD ["/usr/local/bin/paystream", "ready"]
ENTRYPOINT ["/usr/local/bin/paystream"]
CMD ["serve"]
