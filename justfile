# The steps of CI, in its order: what each of them runs stands only here.
ci: format lint docs dependencies manifests test images (soak "30s")

# The formatting is rustfmt's.
format:
    cargo fmt --all --check

# Warnings are errors here, and only here.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The API docs build without a broken link.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# Licences, sources and duplicates of the dependencies; deny.toml says which are fine.
dependencies:
    cargo deny check bans licenses sources

# The Dockerfile and the manifests, against their rules, the Kubernetes schemas and a list of known mistakes.
manifests:
    hadolint Dockerfile
    find k8s -name '*.yaml' -print0 | xargs -0 kubernetes-validate --strict --quiet -k 1.25.0 -k 1.37.0
    trivy config --quiet --disable-telemetry --skip-check-update --skip-version-check --ignorefile .trivyignore.yaml --exit-code 1 k8s

# The README's test command.
test:
    cargo test --workspace

# The images, built and run by Docker.
images:
    cargo test --package end-to-end --test docker -- --include-ignored

# What takes too long for CI.
nightly: release long power-cuts (fuzz "600") (soak "30m")

# The tests that `cargo test` leaves out, but for the soak: inputs of gigabytes, ten thousand connections, larger models.
long:
    cargo test --release --workspace -- --ignored --nocapture --skip under_random_faults

# One batch of this machine's /etc through the whole chain, as people run it.
release:
    cargo build --release
    cargo run --release -- --once > target/once.log
    tail -n 1 target/once.log

# Fuzzes every parser for so many seconds each, starting from fuzz/corpus/; what it finds goes into fuzz/found/.
# cargo-fuzz asks for options that stable compilers keep to themselves: RUSTC_BOOTSTRAP=1 lets it. There is no unsafe code
# for a sanitizer to look at.
fuzz SECONDS="60":
    #!/usr/bin/env bash
    set -euo pipefail
    for target in $(cargo fuzz list); do
        mkdir -p fuzz/found/$target
        RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $target fuzz/found/$target fuzz/corpus/$target -- \
            -max_total_time={{SECONDS}} -rss_limit_mb=512 -timeout=10 -print_final_stats=1
    done

# The real programs under random faults, and the books of what went in and came out. SEED=… draws the same again.
soak DURATION="2m":
    SOAK={{DURATION}} cargo test --package end-to-end --test soak -- --include-ignored --nocapture

# The protocol's larger models, which the tests leave out: two minutes.
model:
    cargo test --release -p volume --test model -- --ignored --nocapture

# Many more power cuts than the tests try: half an hour for the million.
power-cuts CUTS="1000000":
    POWER_CUTS={{CUTS}} cargo test --release -p volume --lib power_cuts_at_any_time -- --nocapture

# The programs beside their peers: docs/PERFORMANCE.md anew; of groups that are named (`just bench conversions delivery`) it only prints.
bench *ARGS:
    cargo build --release --workspace --bins
    # What a run left that was cut off.
    rm -rf target/benchmarks.run-*
    target/release/benchmarks run {{ARGS}}

# A file's way end to end, on this machine: Ctrl-C ends it.
run *ARGS:
    cargo run --release -- {{ARGS}}
