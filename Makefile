# One file of commands: people and CI call the same recipes. `make help` lists them.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CARGO  ?= cargo
OLD    := $(VENV)/pyarrow-15
comma  := ,

.DEFAULT_GOAL := build
.PHONY: help build demo wheel check test test-all test-rust test-python test-engines test-torch lint lint-rust lint-python packages format \
	faults fuzz bench docs clean

# One line for each step that takes a while.
step = @printf '==> %s\n' '$(1)'

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(VENV)/installed $(BIN)/vecpack ## build the wheel and install it, with what examples and tests need, into .venv
	$(call step,Ready: source .venv/bin/activate)

demo: $(BIN)/vecpack ## sample vectors -> Parquet -> a DuckDB query, and what it cost
	$(call step,The demo: docs/demo.py)
	@$(BIN)/python docs/demo.py

# Lints, tests, documentation and the extension of the Python tests share one set of build artefacts: all features, and the
# profile `dev`. Nothing is linked to Python's library, which need not be there.
ALL := --locked --all-features
export PYO3_PYTHON := $(shell command -v $(PYTHON))
export PYO3_BUILD_EXTENSION_MODULE := 1

# Generated input is the same each time, so that a change fails for what is in it; tests that are run without make, and
# `make fuzz`, try other input.
SEED ?= 1
export PROPTEST_RNG_SEED = $(SEED)

# cargo-nextest keeps all cores busy to the end. Without it cargo runs the same tests.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
RUST_TESTS := $(CARGO) $(if $(NEXTEST),nextest run --no-fail-fast $(ALL),test $(ALL) --lib --bins --tests)
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal --hypothesis-seed=$(SEED)

# The loop of one change. BASE is the commit that the files are compared with.
BASE ?= $(shell git merge-base HEAD '@{upstream}' 2>/dev/null || echo HEAD)
check: lint ## formatting, lints, and the tests that belong to the changed files (rule: tests/changed.py)
	@RUST_TESTS='$(CARGO) $(if $(NEXTEST),nextest run --no-fail-fast,test) $(ALL)' PYTEST='$(PYTEST)' $(PYTHON) tests/changed.py $(BASE)

# Packages are installed while cargo checks the code: one waits for the network, the other for the processor.
test: ## what must pass before a change lands, and all that CI runs
	@$(MAKE) --jobs=2 lint-rust packages
	@$(MAKE) lint-python test-rust test-python docs

# Slow tests, the features one by one, and the wheel that users get.
test-all: lint $(VENV)/dev $(OLD)/tried docs ## all tests, also the slow ones
	$(RUST_TESTS) $(if $(NEXTEST),--run-ignored all --filterset 'not test(write_seeds)',-- --include-ignored --skip write_seeds)
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked --no-default-features
	$(CARGO) test $(ALL) --doc
	$(OLD_PYARROW) $(PYTEST)
	$(MAKE) build

test-rust: ## Rust tests, with the examples of the documentation
	FUZZ_CHANGES=$(FUZZ_CHANGES) $(RUST_TESTS)
	$(CARGO) test $(ALL) --doc

# The oldest glibc that the wheel runs with, which zig links for, and the Python that it is built for: every one from 3.11 on, or,
# if that is a free-threaded one, this one.
GLIBC ?= 2_17
WHEEL_PYTHON ?= $(BIN)/python
WHEEL = target/wheels/manylinux-$(notdir $(WHEEL_PYTHON))
wheel: $(VENV)/demo ## a wheel for Linux with an old glibc, checked by auditwheel and run in an environment of its own
	$(call step,Installing zig and auditwheel: tests/requirements-wheel.txt)
	@$(BIN)/$(PIP) -r tests/requirements-wheel.txt
	$(call step,Building the wheel for glibc $(subst _,.,$(GLIBC)): some minutes)
	@rm -rf $(WHEEL)
	@PATH="$(CURDIR)/$(BIN):$$PATH" maturin build --locked --release --zig --compatibility manylinux_$(GLIBC) \
		--interpreter $(WHEEL_PYTHON) --out $(WHEEL)
	$(call step,Checking the wheel)
	@$(BIN)/python -m auditwheel show $(WHEEL)/vecpack-*.whl | tee $(WHEEL)/audit.txt
	@tr '\n' ' ' < $(WHEEL)/audit.txt | grep -q 'consistent with the following platform tag: *"manylinux_$(GLIBC)_'
	@$(WHEEL_PYTHON) tests/wheel.py $(WHEEL)/vecpack-*.whl

# How many changed inputs each fuzz target gets in `make test`.
FUZZ_CHANGES ?= 300

OLD_PYARROW = test ! -e $(OLD)/installed || export VECPACK_OLD_PYARROW=$(OLD)/bin/python;

# K=expression runs the tests whose names match it.
K ?=
test-python: $(VENV)/dev $(OLD)/tried ## Python tests (K=names for some), the stubs against the module, the blocks of the docs
	$(OLD_PYARROW) $(PYTEST) -m "not slow" $(if $(K),-k "$(K)")
	$(if $(K),,$(BIN)/python -m mypy.stubtest vecpack --allowlist tests/stubtest-allowlist.txt --ignore-unused-allowlist)

test-engines: $(VENV)/dev $(OLD)/tried ## tests with the engines that read what is written, which are installed for it
	$(BIN)/$(PIP) -r tests/requirements-engines.txt
# Daft without what it asks for, which is a pyarrow below 26: it works with later ones.
	$(BIN)/$(PIP) --no-deps daft==0.7.26
	$(call other-pyarrow,19,pyarrow==19.0.1 numpy==2.3.5)
	$(call other-pyarrow,25,pyarrow==25.0.0 numpy==2.3.5 awswrangler==3.17.1)
	-npm install --silent --prefix $(VENV)/hyparquet --no-save --no-package-lock hyparquet@1.33.0 hyparquet-compressors@1.1.2
	VECPACK_ENGINES=1 $(BIN)/python -m pytest tests/python/test_engines.py tests/python/test_lance.py tests/python/test_to_lance.py \
		tests/python/test_spark.py tests/python/test_ray.py tests/python/test_daft.py tests/python/test_docs.py

test-torch: $(VENV)/dev ## tests with PyTorch, which is installed for it (some gigabytes)
	$(BIN)/$(PIP) -r tests/requirements-torch.txt
	$(BIN)/python -m pytest tests/python/test_torch.py tests/python/test_docs.py

faults: ## more rounds of what tests do with full disks, kill -9, Ctrl-C and calls that fail; wants strace
	VECPACK_FAULTS=10 $(CARGO) test $(ALL) --test main faults:: -- --nocapture --test-threads 2

lint: lint-rust lint-python ## formatting and lints of both languages, as the code is; .pre-commit-config.yaml runs the same

lint-rust:
	$(CARGO) fmt --check
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features -- -D warnings

lint-python: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy python/vecpack

format: $(VENV)/installed ## put the code into the form that `make lint` asks for
	$(CARGO) fmt
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(BIN)/vecpack ## measure against Python, NumPy and plain reads; draws the charts in docs/benchmarks
	$(BIN)/pip install --quiet -r benches/requirements.txt
	$(BIN)/maturin build --quiet --release --locked --manifest-path benches/take_iter/Cargo.toml --target-dir target/take_iter --out target/wheels
	$(BIN)/pip install --quiet --no-deps --force-reinstall target/wheels/take_iter-*.whl
	$(BIN)/python benches/run.py

# Sanitizers are not stable in Rust: the variable lets the stable compiler use them. The seeds are written by the tests.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= decode agree records parquet compressed
fuzz: ## search with libFuzzer for FUZZ_SECONDS a target; finds end up in target/fuzz
	$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --quiet --locked cargo-fuzz
	FUZZ_SEEDS=$(CURDIR)/target/fuzz/seeds $(CARGO) test --quiet $(ALL) --test fuzz -- --ignored write_seeds
	for target in $(FUZZ_TARGETS); do \
		mkdir -p target/fuzz/found/$$target && RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz \
			$$target target/fuzz/found/$$target target/fuzz/seeds/$$target tests/fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=25 -rss_limit_mb=3000 -print_final_stats=1 || exit 1; \
	done

docs: $(VENV)/dev $(VENV)/docs ## build the documentation's site into target/site; a warning or a broken link is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps $(ALL)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## remove what was built
	rm -rf target $(VENV) data

# The environment, made once. Each list of packages is installed again when its pins change.
$(BIN)/python:
	$(call step,Making the environment $(VENV))
	@$(PYTHON) -m venv $(VENV)

# Modules are compiled when they are first imported, which few of them are.
PIP := python -m pip install --quiet --no-compile --disable-pip-version-check

packages: $(VENV)/installed $(VENV)/docs $(OLD)/tried

# Of the demo: what builds the wheel, and DuckDB.
$(VENV)/demo: tests/requirements-demo.txt | $(BIN)/python
	$(call step,Installing what builds the wheel$(comma) and DuckDB: $<)
	@$(BIN)/$(PIP) -r $<
	@touch $@

# Of the tests, and of the examples in the README. It includes that of the demo, whose stamp gets the time of its list.
$(VENV)/installed: tests/requirements.txt tests/requirements-demo.txt | $(BIN)/python
	$(call step,Installing what the tests need: $<)
	@$(BIN)/$(PIP) -r $<
	@touch -r tests/requirements-demo.txt $(VENV)/demo
	@touch $@

$(VENV)/docs: docs/requirements.txt | $(VENV)/installed
	$(call step,Installing what builds the documentation: $<)
	@$(BIN)/$(PIP) -r $<
	@touch $@

# Other versions of pyarrow, in environments of their own, where this Python has them.
define other-pyarrow
	test -e $(VENV)/pyarrow-$(1)/installed || { $(PYTHON) -m venv $(VENV)/pyarrow-$(1) && $(VENV)/pyarrow-$(1)/bin/pip install --quiet \
		--disable-pip-version-check --only-binary :all: $(2) && touch $(VENV)/pyarrow-$(1)/installed || echo "No $(2) for this Python."; }
endef

# An old pyarrow reads what is written, where this Python has one.
$(OLD)/tried: $(VENV)/installed tests/requirements-pyarrow-15.txt
	$(PYTHON) -m venv $(OLD)
	$(OLD)/bin/$(PIP) --only-binary :all: -r tests/requirements-pyarrow-15.txt \
		&& touch $(OLD)/installed || echo "No pyarrow 15 for this Python: the tests leave it out."
	touch $@

SOURCES := Cargo.toml Cargo.lock pyproject.toml README.md $(shell find src python -name '*.rs' -o -name '*.py' -o -name '*.pyi')

# Builds a wheel into a folder of its own, with the options $(2), and installs it. `pip install .` puts its wheel beside that folder.
# Cargo shows its progress where standard error is a terminal.
define install-wheel
	@rm -rf target/wheels/$(1)
	@$(BIN)/maturin build --locked --interpreter $(BIN)/python --out target/wheels/$(1) $(2)
	@$(BIN)/$(PIP) --force-reinstall --no-deps target/wheels/$(1)/vecpack-*.whl
endef

# The package as its users get it: a wheel, installed.
$(BIN)/vecpack: $(VENV)/demo $(SOURCES)
	$(call step,Building the wheel with all optimizations: some minutes)
	$(call install-wheel,release,--release)
	@rm -f $(VENV)/dev
	@touch $@

# The same wheel in the profile of the tests, which is built in a fraction of the time.
$(VENV)/dev: $(VENV)/installed $(SOURCES)
	$(call step,Building the wheel in the profile of the tests)
	$(call install-wheel,dev,--profile dev)
	@touch -t 200001010000 $(BIN)/vecpack
	@touch $@
