# SPDX-License-Identifier: GPL-2.0-or-later
# On a fresh Debian 12 with make and git, each target sets up all that it needs (root or sudo, once).

SHELL := /bin/bash
PYTHON := .venv/bin/python
# Which rings `make test` runs; empty: all of them.
RINGS ?=

.PHONY: help build demo run test soak bench idl format clean

help:
	@echo "make demo    start the service on a simulated card, place calls, show the record, stop"
	@echo "make run     the same service in the foreground until Ctrl-C"
	@echo "make test    all tests; RINGS=\"lint core\" chooses"
	@echo "make soak    the same proofs over far more runs, calls and deaths; hours"
	@echo "make bench   the measurements of docs/performance.md"
	@echo "make build   .venv with the command .venv/bin/dahdi-py"
	@echo "make idl     write anew what is made from other files: .varlink, docs/api.md, the blocking client"
	@echo "make format  format Python and C"
	@echo "make clean   remove everything that was built"

build:
	@scripts/set-up run

demo: build
	@.venv/bin/dahdi-py demo

run: build
	@exec .venv/bin/dahdi-py run --embedded -- $(PYTHON) docs/examples/echo_core.py

test:
	@scripts/set-up test
	@$(PYTHON) scripts/rings.py $(RINGS)

soak:
	@scripts/set-up test
	@$(PYTHON) -m pytest --soak -q -p no:cacheprovider tests/model tests/service

bench:
	@scripts/set-up test
	@$(PYTHON) -m bench

idl:
	@scripts/set-up test
	@$(PYTHON) -m dahdi_py.wire.idl && $(PYTHON) docs/write_api.py && $(PYTHON) scripts/write_blocking_client.py

format:
	@scripts/set-up test
	@.venv/bin/ruff check --fix --quiet . && .venv/bin/ruff format --quiet .
	@find native docs bench tests -name '*.[ch]' -print0 | xargs -0 -r clang-format -i

clean:
	rm -rf .venv build dist out *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find dahdi_py tests bench scripts docs native -name __pycache__ -prune -exec rm -rf {} +
	find dahdi_py native \( -name '*.so' -o -name '*.o' \) -delete
	rm -f dahdi_py/ffi/_*.c
