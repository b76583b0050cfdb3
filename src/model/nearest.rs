//! What somebody meant who mistyped a name.

/// Edits after which it is another word.
const EDITS_MAX: usize = 2;
/// Nobody types a longer name.
const CHARS_MAX: usize = 60;

/// The known name within two edits, if there is one; of a name of two letters each other one would be.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.to_lowercase().chars().take(CHARS_MAX).collect();
    let length = name.chars().count();
    known
        .into_iter()
        .map(|known| (strsim::levenshtein(&name, known), known))
        .filter(|(distance, _)| *distance <= EDITS_MAX && *distance < length)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_two_edits_and_nothing_by_three() {
        let known = ["weight", "within", "in"];
        for (typed, meant) in
            [("wieght", Some("weight")), ("WEIHGT", Some("weight")), ("withn", Some("within")), ("bobot", None), ("zz", None), ("", None)]
        {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }
}
