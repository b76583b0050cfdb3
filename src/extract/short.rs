//! Short words as numbers, so that a table of words is asked with one comparison and without following
//! a pointer. What a word is, others say.

/// Bytes of a word that is one number; most words of a language have no more.
pub const BYTES: usize = size_of::<u128>();

/// The number of a word, which no other word has; none for a long one.
#[must_use]
pub fn of(word: &str) -> Option<u128> {
    let mut bytes = [0; BYTES];
    bytes.get_mut(..word.len())?.copy_from_slice(word.as_bytes());
    Some(u128::from_le_bytes(bytes))
}

/// [`of`] the word at this place of a text that [`BYTES`] other bytes follow.
#[must_use]
pub fn at(text: &[u8], from: usize, length: usize) -> Option<u128> {
    let bytes = text.get(from..from + BYTES)?;
    // The bytes that follow the word are the high ones.
    Some(u128::from_le_bytes(bytes.try_into().ok()?) & MASKS.get(length)?)
}

/// The bits of a word of each length.
static MASKS: [u128; BYTES + 1] = {
    let mut masks = [0; BYTES + 1];
    let mut length = 1;
    while length <= BYTES {
        #[expect(clippy::indexing_slicing, reason = "a constant, filled by the compiler")]
        {
            masks[length] = u128::MAX >> (8 * (BYTES - length));
        }
        length += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_the_same_number_alone_and_in_a_text() {
        let text = format!("situs kami sepanjang-ini {}", " ".repeat(BYTES));
        for (from, word) in [(0, "situs"), (6, "kami"), (11, "sepanjang-ini"), (0, ""), (0, "situs kami sepan")] {
            assert_eq!(at(text.as_bytes(), from, word.len()), of(word), "{word}");
            assert!(of(word).is_some());
        }
        assert_ne!(of("situ"), of("situs"));
        assert_eq!((of("sepanjang-ini-dan"), at(text.as_bytes(), 0, 17), at(text.as_bytes(), text.len(), 1)), (None, None, None));
    }
}
