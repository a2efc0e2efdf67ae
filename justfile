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
    find k8s -name '*.yaml' ! -name kustomization.yaml ! -name indexed-drain-job.yaml ! -name podmonitor.yaml ! -name prometheusrule.yaml ! -path 'k8s/samples/*' -print0 | xargs -0 kubernetes-validate --strict --quiet -k 1.25.0 -k 1.37.0
    # It needs a newer one, and says so.
    kubernetes-validate --strict --quiet -k 1.29.0 -k 1.37.0 k8s/batch/indexed-drain-job.yaml
    mkdir -p target
    kubectl kustomize --load-restrictor LoadRestrictionsNone k8s/multi-node > target/multi-node.yaml
    kubernetes-validate --strict --quiet -k 1.25.0 -k 1.37.0 target/multi-node.yaml
    trivy config --quiet --disable-telemetry --skip-check-update --skip-version-check --ignorefile .trivyignore.yaml --skip-dirs k8s/samples --exit-code 1 k8s
    trivy config --quiet --disable-telemetry --skip-check-update --skip-version-check --ignorefile .trivyignore.yaml --exit-code 1 target/multi-node.yaml

# The README's test command.
test:
    cargo test --workspace

# The images, built and run by Docker.
images:
    # Of the workspace: of one package, the dependencies would have other features and be built again.
    cargo test --workspace --test docker -- --include-ignored

# The same with those that take a quarter of an hour to compile.
all-images:
    ALL_IMAGES=true cargo test --workspace --test docker images -- --include-ignored

# What takes too long for CI.
nightly: release all-images long power-cuts (fuzz "600") (soak "30m")

# The tests that `cargo test` leaves out, but for the soak: inputs of gigabytes, ten thousand connections, larger
# models, ten minutes of random faults on a network file system.
long:
    cargo test --release --workspace --exclude data-pipeline -- --ignored --nocapture --skip under_random_faults
    # With its own profile: fat LTO of the table engine takes an hour.
    cargo test --profile batch -p data-pipeline -- --ignored --nocapture

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
    SOAK={{DURATION}} cargo test --workspace --test soak -- --include-ignored --nocapture

# The protocol's larger models, which the tests leave out: two minutes.
model:
    cargo test --release -p volume --test model -- --ignored --nocapture

# Many more power cuts than the tests try: half an hour for the million.
power-cuts CUTS="1000000":
    POWER_CUTS={{CUTS}} cargo test --release -p volume --lib power_cuts_at_any_time -- --nocapture

# The programs beside their peers: docs/PERFORMANCE.md anew; of groups that are named (`just bench conversions delivery`) it only prints.
bench *ARGS:
    cargo build --release --workspace --exclude data-pipeline --bins
    # What a run left that was cut off.
    rm -rf target/benchmarks.run-*
    target/release/benchmarks run {{ARGS}}

# A file's way end to end, on this machine: Ctrl-C ends it.
run *ARGS:
    cargo run --release -- {{ARGS}}

# The custom resource definition, as the types say it; a test fails where it is another.
crd:
    cargo run --quiet --package sequential-job --bin crdgen > k8s/sequential-job/2-crd.yaml

# The custom resource definition into the cluster that kubectl points to.
install:
    kubectl apply --filename k8s/sequential-job/2-crd.yaml

# The operator too, and what it needs.
deploy:
    kubectl apply --filename k8s/sequential-job

# All sequences, then the operator: who goes first takes away its own finalizers.
undeploy:
    # Where the definition is gone already, there are none.
    ! kubectl get --ignore-not-found --output name crd/sequentialjobs.batch.example.com | grep . \
        || kubectl delete sequentialjobs.batch.example.com --all --all-namespaces
    kubectl delete --ignore-not-found --filename k8s/sequential-job
