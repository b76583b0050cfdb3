//! Which required documents are here, by name, type and the words around (contract 8).
