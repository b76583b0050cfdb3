//! Where in a text an indicator may stand: prose is most of a mail, and none of the expressions has to
//! see it.

/// Words on both sides of a suspicious one that are looked through with it: "situs dot example garis miring masuk".
const CONTEXT_WORDS: usize = 4;
/// The digits of the shortest hash, MD5.
const HASH_DIGITS_MIN: usize = 32;
/// The shortest CVE number with its mark has so many characters, `CVE-1999-0001` a few more.
const CVE_BYTES_MIN: usize = 11;

/// What a byte is to the search.
const SPACE: u8 = 1;
const MARK: u8 = 2;
/// The kinds of all bytes: a look into a table costs less than the comparisons.
static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    #[expect(clippy::indexing_slicing, reason = "a constant of 256 places, filled by the compiler")]
    while byte < 256 {
        if byte <= b' ' as usize {
            kinds[byte] = SPACE;
        }
        byte += 1;
    }
    let marks = b".@:[({</\\";
    let mut mark = 0;
    #[expect(clippy::indexing_slicing, reason = "a constant of 256 places, filled by the compiler")]
    while mark < marks.len() {
        kinds[marks[mark] as usize] = MARK;
        mark += 1;
    }
    kinds
};

fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The parts of a text where an indicator may stand, each with a few words around it.
pub fn suspicious(text: &str) -> String {
    let mut kept = String::new();
    // Where the words before began, for what belongs to the left side of a mark.
    let mut before = [0; CONTEXT_WORDS];
    let (mut kept_to, mut more, mut runs) = (0, 0, 0);
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if kind(*byte) == SPACE {
            rest = after;
            continue;
        }
        let mut kinds = 0;
        let length = rest
            .iter()
            .position(|byte| {
                kinds |= kind(*byte);
                kinds & SPACE > 0
            })
            .unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(length).unwrap_or_default();
        let from = text.len() - rest.len();
        let at = from + length;
        rest = after;
        let is_near = is_worth(run, kinds & MARK > 0);
        let oldest = before.get_mut(runs % CONTEXT_WORDS).map_or(from, |oldest| std::mem::replace(oldest, from));
        runs += 1;
        if is_near || more > 0 {
            let from = if is_near { oldest.max(kept_to) } else { from };
            if from > kept_to && more == 0 {
                kept.push('\n');
            }
            kept.push_str(text.get(if more > 0 { kept_to } else { from }..at).unwrap_or_default());
            kept_to = at;
            more = if is_near { CONTEXT_WORDS } else { more - 1 };
        }
    }
    kept
}

/// Whether an indicator may stand in this run of characters or beside it.
fn is_worth(run: &[u8], has_mark: bool) -> bool {
    let speaks = |words: &[&[u8]]| words.iter().any(|word| run.eq_ignore_ascii_case(word));
    match run.len() {
        0..=2 if !has_mark => false,
        3..=5 if speaks(&[b"dot", b"titik", b"slash", b"garis", b"cve", b"cve-", b"cve:"]) => true,
        CVE_BYTES_MIN.. if holds_cve(run) || holds_hash(run) => true,
        _ => has_mark && !ends_sentence(run) && has_worthy_mark(run),
    }
}

/// The most frequent run with a mark: a word, and a dot or colon after it.
fn ends_sentence(run: &[u8]) -> bool {
    let Some((last, word)) = run.split_last() else { return false };
    matches!(last, b'.' | b':') && run.first().is_some_and(u8::is_ascii_alphabetic) && word.iter().all(|byte| kind(*byte) != MARK)
}

/// Whether a text holds the letters of a CVE number.
pub fn holds_cve(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'v', b'V', text)
        .any(|at| at > 0 && text.get(at - 1..at + 2).is_some_and(|three| three.eq_ignore_ascii_case(b"cve")))
}

/// Whether a text holds as many hexadecimal digits in a row as a hash has: some of them stand at a
/// multiple of that number.
pub fn holds_hash(text: &[u8]) -> bool {
    (HASH_DIGITS_MIN - 1..text.len()).step_by(HASH_DIGITS_MIN).any(|at| {
        let (before, after) = text.split_at_checked(at).unwrap_or_default();
        let is_digit = |byte: &&u8| byte.is_ascii_hexdigit();
        let digits = |side: usize| side >= HASH_DIGITS_MIN;
        let right = after.iter().take(HASH_DIGITS_MIN).take_while(is_digit).count();
        right > 0 && digits(right + before.iter().rev().take(HASH_DIGITS_MIN).take_while(is_digit).count())
    })
}

/// Whether there are as many colons as a hash in pairs of digits has.
pub fn holds_pairs(text: &[u8]) -> bool {
    memchr::memchr_iter(b':', text).nth(HASH_DIGITS_MIN / 2 - 2).is_some()
}

/// Whether a dot, at-sign, colon or bracket stands where prose has none: inside the run or at its beginning.
fn has_worthy_mark(run: &[u8]) -> bool {
    let numbers = run.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    if numbers {
        // "2.500.000" is an amount, "12." may be the first part of an address with spaces in it.
        let dots = run.iter().filter(|byte| **byte == b'.').count();
        return dots >= 3 || run.first() == Some(&b'.') || (run.last() == Some(&b'.') && run.len() <= 4);
    }
    let mut rest = run;
    while let Some((byte, after)) = rest.split_first() {
        let opens = |words: &[&[u8]]| {
            after.is_empty() || words.iter().any(|word| after.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
        };
        let is_worthy = match byte {
            b'@' => true,
            b'.' | b':' => rest.len() == run.len() || after.first().is_some_and(|next| !b".,;:!?)\"'*".contains(next)),
            b'[' | b'(' | b'{' | b'<' => opens(&[b".", b",", b"@", b":", b"/", b"dot", b"d0t", b"titik", b"at", b"et"]),
            b'/' | b'\\' => after.first() == Some(byte),
            _ => false,
        };
        if is_worthy {
            return true;
        }
        rest = after;
    }
    false
}
