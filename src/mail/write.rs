//! A letter to RFC 5322 bytes: typed values in, 7-bit CRLF lines out.
