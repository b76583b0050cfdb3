//! Signs and encrypts what leaves, or refuses.
