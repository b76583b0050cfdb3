//! Finds inline PGP in a text: one block of it, and whether the text holds anything else.

const SIGNED: (&str, &str) = ("-----BEGIN PGP SIGNED MESSAGE-----", "-----END PGP SIGNATURE-----");
const ENCRYPTED: (&str, &str) = ("-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Signed,
    Encrypted,
}

/// The first block of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub kind: Kind,
    /// From the line that begins it to the line that ends it.
    pub text: String,
    /// The text holds nothing else, and no second block.
    pub is_whole: bool,
}

/// The first block that begins and ends at the start of a line.
pub(super) fn find(text: &str) -> Option<Block> {
    let mut kind = None;
    let mut block = String::new();
    let mut is_alone = true;
    let mut lines = text.lines();
    for line in lines.by_ref() {
        let line = line.trim_end();
        kind = match line {
            _ if line == SIGNED.0 => Some(Kind::Signed),
            _ if line == ENCRYPTED.0 => Some(Kind::Encrypted),
            _ => None,
        };
        if kind.is_some() {
            block = format!("{line}\n");
            break;
        }
        is_alone &= line.is_empty();
    }
    let kind = kind?;
    let end = if kind == Kind::Signed { SIGNED.1 } else { ENCRYPTED.1 };
    for line in lines.by_ref() {
        let line = line.trim_end_matches('\r');
        block.push_str(line);
        block.push('\n');
        if line.trim_end() == end {
            let is_whole = is_alone && lines.all(|line| line.trim().is_empty());
            return Some(Block { kind, text: block, is_whole });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_text_round_a_block_is_not_part_of_it() {
        let block = "-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n";
        assert!(find(block).unwrap().is_whole);
        assert!(find(&format!("\n{block}\n")).unwrap().is_whole);
        for around in [format!("hello\n{block}"), format!("{block}hello\n"), format!("{block}{block}")] {
            let found = find(&around).unwrap();
            assert_eq!((found.text.as_str(), found.is_whole), (block, false));
        }
        assert_eq!(find("> -----BEGIN PGP MESSAGE-----\n> -----END PGP MESSAGE-----\n"), None);
        assert_eq!(find("-----BEGIN PGP MESSAGE-----\nno end"), None);
    }
}
