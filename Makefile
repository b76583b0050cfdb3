# The ways into the project. "make demo" shows it at work, "make test" proves it; both install the
# Debian packages that are missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

# sequoia-openpgp links OpenSSL, whose binding is generated with libclang.
BUILD_PACKAGES := gcc libc6-dev libssl-dev pkg-config libclang-dev
TEST_PACKAGES := dovecot-imapd dovecot-lmtpd postfix gnupg openssl

.PHONY: help demo test check bench audit build install packages test-packages

help:
	@echo "make demo     the whole main job on sample mail, without any server"
	@echo "make test     every test, those against Dovecot, Postfix and gpg included"
	@echo "make check    format, lints and documentation, warnings as errors"
	@echo "make bench    measurements"
	@echo "make audit    licences, sources and bans of the dependencies (needs cargo-deny)"
	@echo "make install  binary, unit, rules, templates, manual page, completions (PREFIX, DESTDIR)"

packages:
	@.ci/packages $(BUILD_PACKAGES)

test-packages: packages
	@.ci/packages $(TEST_PACKAGES)

demo: packages
	@$(CARGO) run --quiet -- demo

test: test-packages
	@if $(CARGO) nextest --version >/dev/null 2>&1; then $(CARGO) nextest run --no-fail-fast; else $(CARGO) test --no-fail-fast; fi

check: packages
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps

bench: packages
	$(CARGO) bench

audit:
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install --locked cargo-deny" >&2; exit 1; }
	$(CARGO) deny check bans licenses sources

build: packages
	$(CARGO) build --release --locked

# What the administrator may have changed under /etc is kept.
install: build
	install -Dm755 $(TARGET_DIR)/release/bantuan70 $(DESTDIR)$(PREFIX)/bin/bantuan70
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@bindir@|$(PREFIX)/bin|' systemd/bantuan70.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/bantuan70.service
	install -Dm644 systemd/bantuan70.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/bantuan70.conf
	install -Dm644 systemd/bantuan70.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/bantuan70.conf
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -d $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(TARGET_DIR)/release/bantuan70 man --into $(DESTDIR)$(PREFIX)/share/man/man1
	$(TARGET_DIR)/release/bantuan70 completions bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/bantuan70
	$(TARGET_DIR)/release/bantuan70 completions zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bantuan70
	$(TARGET_DIR)/release/bantuan70 completions fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/bantuan70.fish
	@find rules templates -type f | while read -r file; do \
	    place=$(DESTDIR)$(SYSCONFDIR)/bantuan70/$$file; \
	    if [ -e "$$place" ]; then cmp -s "$$file" "$$place" || echo "kept $$place (changed)"; \
	    else install -Dm644 "$$file" "$$place"; fi; \
	done
	@place=$(DESTDIR)$(SYSCONFDIR)/bantuan70/bantuan70.toml; \
	if [ -e "$$place" ]; then echo "kept $$place"; else \
	    sed -E 's/^(data_dir|rules_dir|templates_dir) = /#&/' src/config/start.toml | install -Dm640 /dev/stdin "$$place"; \
	fi
	@echo "next: systemd-sysusers; systemd-tmpfiles --create; edit $(SYSCONFDIR)/bantuan70/bantuan70.toml; bantuan70 check; systemctl enable --now bantuan70"
