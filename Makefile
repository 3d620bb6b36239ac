# The one entry to everything. `make demo` and `make test` install what they need.
SHELL   := /bin/bash
PREFIX  ?= /usr/local
DESTDIR ?=
SWIFT   ?= swift
UNITDIR ?= $(PREFIX)/lib/systemd/system

.DEFAULT_GOAL := help
.PHONY: help deps build demo test bench fmt lint install uninstall clean

help:
	@echo "make demo       see it work: a throwaway server, a dropped table, the moment before"
	@echo "make test       all tests"
	@echo "make build      .build/release/pgarchive and .build/release/pgarchive-wal"
	@echo "make install    into $(PREFIX) (PREFIX=, DESTDIR=)"
	@echo "make bench      receiver and clones, side by side with what one would use otherwise"
	@echo "make fmt lint   format; check format, layers and sizes"
	@echo "make deps       install what is missing (Debian packages)"
	@echo "make clean      remove what was built"

deps:
	@scripts/deps

build: deps
	$(SWIFT) build -c release --static-swift-stdlib --product pgarchive
	$(SWIFT) build -c release --static-swift-stdlib --product pgarchive-wal

demo: build
	@scripts/demo

test: deps
	@scripts/test

bench: build
	@bench/run

fmt:
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests scripts

lint:
	@scripts/lint

install:
	@test -x .build/release/pgarchive || \
	    { echo "error: nothing built yet"; echo "hint: run 'make build' first, as yourself"; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR) \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	    $(DESTDIR)$(PREFIX)/share/doc/pgarchive/docs
	install -m 755 .build/release/pgarchive .build/release/pgarchive-wal $(DESTDIR)$(PREFIX)/bin/
	sed 's|@PREFIX@|$(PREFIX)|g' 'share/systemd/pgarchive@.service' > '$(DESTDIR)$(UNITDIR)/pgarchive@.service'
	.build/release/pgarchive bash-completion > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pgarchive
	.build/release/pgarchive zsh-completion > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pgarchive
	install -m 644 README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md $(DESTDIR)$(PREFIX)/share/doc/pgarchive/
	install -m 644 docs/*.md $(DESTDIR)$(PREFIX)/share/doc/pgarchive/docs/

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/pgarchive $(DESTDIR)$(PREFIX)/bin/pgarchive-wal \
	    '$(DESTDIR)$(UNITDIR)/pgarchive@.service' \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pgarchive \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pgarchive
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/pgarchive

clean:
	rm -rf .build
