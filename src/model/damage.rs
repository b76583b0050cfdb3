//! What was odd about a message. Reading never fails; it reports damage instead.

use serde::{Deserialize, Serialize};

/// One finding about a message, shown by `inspect` and to analysts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Damage {
    /// A fixed word for programs and tests, such as `ambiguous-mime` or `too-deep`.
    pub code: String,
    /// The particulars, for people. Never more than 200 characters, control characters escaped.
    pub detail: String,
}

impl Damage {
    /// A finding; the detail is cut and escaped here, so that no caller has to think of it.
    #[must_use]
    pub fn new(code: &str, detail: impl AsRef<str>) -> Self {
        let mut escaped = String::new();
        for c in detail.as_ref().chars().take(200) {
            // Quotation marks do no harm where people read them.
            if matches!(c, '\'' | '"') {
                escaped.push(c);
            } else {
                escaped.extend(c.escape_debug());
            }
        }
        let detail = escaped;
        Self { code: code.to_owned(), detail }
    }
}
