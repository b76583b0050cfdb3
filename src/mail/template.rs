//! The letters' words: templates in Indonesian and English. Values are data, never template source.
