# Every target sets up .venv by itself, once, from requirements.lock. Variables pass through:
#   make train RECIPE=notebook SEED=1 EPOCHS=2      make export SOURCE=runs/NAME      make serve PORT=9001
PYTHON ?= python3
VENV   := .venv
READY  := $(VENV)/installed
BIN    := $(VENV)/bin
KERAPORT := $(BIN)/keraport

BROWSER       := clients/edge/browser
BROWSER_READY := $(BROWSER)/node_modules/.bundled

INTEROP       := .venv-interop
INTEROP_READY := $(INTEROP)/installed

# The oldest grpcio-tools that is supported is pinned in pyproject.toml: its stubs run with every later one.
PROTOC := $(BIN)/python -m grpc_tools.protoc

flag = $(if $($(1)),--$(2) "$($(1))")

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help train export parity serve demo browser test test-full test-edge tools-edge lint format proto proto-check lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

train: $(READY) ## train, keep the best checkpoint, write runs/NAME [RECIPE SEED EPOCHS DATA OUT]
	$(strip $(KERAPORT) train $(call flag,RECIPE,recipe) $(call flag,SEED,seed) $(call flag,EPOCHS,epochs) $(call flag,DATA,data) $(call flag,OUT,out))

export: $(READY) ## convert the newest run, check parity, publish models/NAME/VERSION [SOURCE MODEL DATA CALIBRATION FORMATS REPORT JUNIT REPOSITORY]
	$(strip $(KERAPORT) export $(if $(SOURCE),"$(SOURCE)") \
	  $(call flag,MODEL,model) $(call flag,DATA,data) $(call flag,CALIBRATION,calibration) $(call flag,FORMATS,formats) \
	  $(call flag,REPORT,report) $(call flag,JUNIT,junit) $(call flag,REPOSITORY,repository))

parity: $(READY) ## check the newest published version again [TARGET REFERENCE URL DATA MARGIN REPORT JUNIT]
	$(strip $(KERAPORT) parity $(if $(TARGET),"$(TARGET)") $(call flag,REFERENCE,reference) $(call flag,URL,url) \
	  $(call flag,DATA,data) $(call flag,MARGIN,margin) $(call flag,REPORT,report) $(call flag,JUNIT,junit))

serve: $(READY) ## serve models/ over gRPC until Ctrl-C [REPOSITORY MODEL HOST PORT]
	$(strip $(KERAPORT) serve $(call flag,REPOSITORY,repository) $(call flag,MODEL,model) $(call flag,HOST,host) $(call flag,PORT,port))

demo: $(READY) ## train if need be, export, start a server, predict, stop [REPOSITORY]
	@grep -qs '"status": "complete"' runs/*/run.json || $(MAKE) train
	@$(MAKE) export MODEL=demo
	@log=$$(mktemp); \
	  $(strip $(KERAPORT) serve --port 0 --http-port off --metrics-port off --model demo $(call flag,REPOSITORY,repository)) 2>"$$log" & server=$$!; \
	  trap 'kill -TERM $$server 2>/dev/null; wait $$server; rm -f "$$log"' EXIT INT TERM; \
	  until grep -q '^ready' "$$log"; do \
	    kill -0 $$server 2>/dev/null || { cat "$$log" >&2; exit 1; }; sleep 0.1; done; \
	  grep '^ready' "$$log"; \
	  $(KERAPORT) predict data/samples/*.png --url "$$(sed -n 's/^ready.*gRPC on \([^ ]*\).*/\1/p' "$$log")"

test: $(READY) $(INTEROP_READY) ## run the tests (under 15 minutes on two cores)
	$(BIN)/python -m pytest -rs

test-full: $(READY) $(INTEROP_READY) ## run all tests that this machine can run, the long ones too (what is skipped says why)
	$(BIN)/python -m pytest -m "" -rs

browser: $(BROWSER_READY) ## install and bundle the page that runs a model in a browser
$(BROWSER_READY): $(BROWSER)/package.json $(BROWSER)/package-lock.json $(wildcard $(BROWSER)/src/*.js)
	@command -v npm >/dev/null || { echo "npm is missing: sudo apt-get install npm" >&2; exit 1; }
	cd $(BROWSER) && npm ci --silent && npm run --silent build
	@touch $@

test-edge: $(READY) browser ## run all tests of the edge kit; fails without what make tools-edge installs
	@$(BIN)/python -c 'import shutil, sys; from clients.edge import chromium; from export.edge.devices.boards import BOARDS; \
	  missing = {name for board in BOARDS for name in board.missing()} | set(chromium.missing()); \
	  missing |= set() if shutil.which("cc") else {"cc"}; \
	  missing and sys.exit("%s missing: make tools-edge" % ", ".join(sorted(missing)))'
	$(BIN)/python -m pytest tests/export/edge tests/clients/edge -m ""

tools-edge: ## install cross compilers, QEMU and Chromium from the distribution's packages (needs root)
	@command -v apt-get >/dev/null || { echo "no apt-get here: install what corresponds to $(EDGE_PACKAGES)" >&2; exit 1; }
	@if dpkg -s $(EDGE_PACKAGES) >/dev/null 2>&1; then echo "installed: $(EDGE_PACKAGES)"; \
	elif [ "$$(id -u)" -ne 0 ]; then \
	  echo "not root: sudo apt-get install --no-install-recommends $(EDGE_PACKAGES)" >&2; exit 1; \
	else apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -q --no-install-recommends $(EDGE_PACKAGES); fi
EDGE_PACKAGES := gcc libc6-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm qemu-user-static \
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross clang lld nodejs chromium \
  $(if $(shell command -v npm),,npm)

lint: $(READY) proto-check ## ruff, mypy --strict, import fences, proto drift
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the sources into ruff's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: $(READY) ## generate serving/proto's stubs from inference.proto
	$(PROTOC) -I serving/proto --python_out=serving/proto --pyi_out=serving/proto serving/proto/inference.proto

proto-check: $(READY)
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	  $(PROTOC) -I serving/proto --python_out="$$fresh" --pyi_out="$$fresh" serving/proto/inference.proto && \
	  for stub in "$$fresh"/*; do cmp "$$stub" "serving/proto/$$(basename "$$stub")" || \
	    { echo "serving/proto is not what inference.proto gives: run 'make proto'" >&2; exit 1; }; done

lock: $(READY) ## resolve requirements.lock and tests/interop/requirements.lock anew
	$(BIN)/uv pip compile $(LOCK_FLAGS) --all-extras pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile $(LOCK_FLAGS) tests/interop/requirements.in -o tests/interop/requirements.lock
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade

clean: ## remove the environments and caches (runs/ and models/ stay)
	rm -rf $(VENV) $(INTEROP) $(BROWSER)/node_modules $(BROWSER)/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or \
	  sys.exit("keraport needs Python 3.11 to 3.13, %s is %d.%d: make PYTHON=python3.12 ..." % (sys.executable, *v))'
	@echo "setting up $(VENV) from requirements.lock (once; about a gigabyte, TensorFlow is most of it)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "python3 has no venv module: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(INTEROP_READY): tests/interop/requirements.lock
	@echo "setting up $(INTEROP) with tritonclient, for the interoperability tests (once)"
	@$(PYTHON) -m venv $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r tests/interop/requirements.lock
	@touch $@
