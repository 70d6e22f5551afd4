# Short names for the README's commands; nothing here is needed to build.

# The main job: degradation on handwritten digits.
quickstart:
    cargo run --release -- run experiments/quickstart.yaml

# Every test.
test:
    cargo test --release

# Cheapest first: format, lints, documentation, tests.
check:
    cargo fmt --all --check
    cargo clippy --release --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps
    cargo test --release

# Kernels, then whole steps, on one thread.
bench:
    cargo bench -p reslab-kernels
    RAYON_NUM_THREADS=1 cargo bench -p reslab-nn --bench step

# reslab beside PyTorch (needs torch; see docs/performance.md).
peers:
    cargo build --release
    python3 benchmarks/run.py

# Draw the committed figures again from the committed tables.
figures:
    cargo run --release -- figures results/reference/degradation-cifar10

# Make the PyTorch fixtures again (needs torch, torchvision and safetensors).
fixtures:
    python3 tests/fixtures/pytorch/make_pytorch.py
    python3 tests/fixtures/pytorch/make_torchvision.py

# Everything that continuous integration does.
ci:
    bash .ci/run
