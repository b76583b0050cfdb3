//! Indonesian, English, both, or not told (contract 6).
