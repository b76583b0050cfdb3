//! What the tests share: folders, keys, servers.
