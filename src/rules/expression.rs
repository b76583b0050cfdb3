//! The expressions of a rule set, asked together: one pass over a text tells which of them fit
//! somewhere, and only those are looked for.

use std::cell::OnceCell;

/// Size of a compiled expression, of a few together, and of their lazy automatons (ATTACKS M14).
const BYTES_MAX: usize = 1 << 20;
/// Expressions that are asked in one pass; more would outgrow the automaton.
const TOGETHER_MAX: usize = 16;

/// The number of an expression in its set.
pub type ExpressionId = usize;

/// All expressions of a rule set.
#[derive(Debug, Default)]
pub struct Expressions {
    all: Vec<Expression>,
    groups: Vec<Group>,
}

/// Expressions that are asked together.
#[derive(Debug)]
struct Group {
    /// All as one, which says at a fraction of the cost that none fits, as in most texts.
    any: regex::Regex,
    each: regex::RegexSet,
}

#[derive(Debug)]
struct Expression {
    regex: regex::Regex,
    written: String,
    /// Which group asks for it, and as which of its members; none for one that is asked alone.
    member: Option<(usize, usize)>,
}

/// Which expressions fit somewhere in one text, as far as it was asked.
#[derive(Debug, Default)]
pub struct Fits(OnceCell<Vec<OnceCell<Option<regex::SetMatches>>>>);

impl Expressions {
    /// Adds an expression; letter case does not matter to it.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn add(&mut self, written: &str) -> Result<ExpressionId, String> {
        let regex = build(written).map_err(|error| fault(&error))?;
        self.all.push(Expression { regex, written: written.to_owned(), member: None });
        Ok(self.all.len() - 1)
    }

    /// Puts those together that can be asked together, once all are there.
    pub fn group(&mut self) {
        let mut together: Vec<&mut Expression> = self.all.iter_mut().filter(|one| is_sociable(&one.written)).collect();
        for members in together.chunks_mut(TOGETHER_MAX) {
            let written = members.iter().map(|one| &one.written);
            let each =
                regex::RegexSetBuilder::new(written.clone()).case_insensitive(true).size_limit(BYTES_MAX).dfa_size_limit(BYTES_MAX).build();
            let any = build(&written.map(|one| format!("(?:{one})")).collect::<Vec<_>>().join("|"));
            // What is too large together is asked one by one.
            let (Ok(any), Ok(each)) = (any, each) else { continue };
            for (index, one) in members.iter_mut().enumerate() {
                one.member = Some((self.groups.len(), index));
            }
            self.groups.push(Group { any, each });
        }
    }

    /// The first place in a text where an expression fits, in bytes.
    pub fn find(&self, expression: ExpressionId, text: &str, fits: &Fits) -> Option<(usize, usize)> {
        let Expression { regex, member, .. } = self.all.get(expression)?;
        if let Some((group, index)) = member {
            let groups = fits.0.get_or_init(|| self.groups.iter().map(|_| OnceCell::new()).collect());
            let Group { any, each } = self.groups.get(*group)?;
            let matches = groups.get(*group)?.get_or_init(|| any.is_match(text).then(|| each.matches(text)));
            if !matches.as_ref()?.matched(*index) {
                return None;
            }
        }
        regex.find(text).map(|found| (found.start(), found.end()))
    }
}

/// What is wrong with an expression, and what to do.
fn fault(error: &regex::Error) -> String {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return "is too large once its repetitions are written out; make it smaller: fewer or smaller numbers in {…}".to_owned();
    }
    let told = error.to_string();
    let last = told.lines().last().unwrap_or_default().trim();
    let reason = last.strip_prefix("error: ").unwrap_or(last);
    let remedy = match reason {
        "unclosed group" => "; close the bracket with ), or write \\( where the sign itself is meant",
        "unopened group" => "; open the bracket with (, or write \\) where the sign itself is meant",
        "unclosed character class" => "; close it with ], or write \\[ where the sign itself is meant",
        "repetition operator missing expression" => {
            "; what is repeated stands before the sign; write \\ before it where the sign itself is meant"
        }
        _ => "",
    };
    format!("{reason}{remedy}")
}

fn build(written: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(written).case_insensitive(true).size_limit(BYTES_MAX).dfa_size_limit(BYTES_MAX).build()
}

/// Whether an expression gains by being asked with others: one that holds at the beginning of the text
/// alone is done at once, a word boundary of Unicode would make the whole group slow, and what may be a comment
/// would hide what follows.
fn is_sociable(written: &str) -> bool {
    let rest = written.replace(r"(?-u:\b)", "");
    !written.starts_with(r"\A") && !written.contains('#') && !rest.contains(r"\b") && !rest.contains(r"\B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_find_together_what_each_finds_alone() {
        let mut expressions = Expressions::default();
        let written = [r"[0-9] ?(gbps|mpps)(?-u:\b)", r"\.(pdf|doc) ?\.?(exe|scr)", r"\A\s*diterima\b", r"(?m)^[1-9]: [1-4]$"];
        let numbers: Vec<ExpressionId> = written.iter().map(|one| expressions.add(one).unwrap()).collect();
        expressions.group();
        for text in ["trafik 14 Gbps, surat.pdf.exe", "diterima\n1: 4", "Diterima 3 GBPS", "tidak ada", ""] {
            let fits = Fits::default();
            for (number, written) in numbers.iter().zip(written) {
                let alone = regex::RegexBuilder::new(written).case_insensitive(true).build().unwrap();
                let alone = alone.find(text).map(|found| (found.start(), found.end()));
                assert_eq!(expressions.find(*number, text, &fits), alone, "{written} in {text}");
            }
        }
        assert!(expressions.add("(").is_err());
    }
}
