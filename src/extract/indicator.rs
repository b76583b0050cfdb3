//! URLs, domains, addresses, hashes and CVEs out of text, refanged (contract 6).
