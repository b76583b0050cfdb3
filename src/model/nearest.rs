//! What somebody meant who mistyped a name.

/// Edits after which it is another word.
const EDITS_MAX: usize = 2;
/// Nobody types a longer name.
const CHARS_MAX: usize = 60;

/// The known name within two edits, if there is one; of a name of two letters each other one would be.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().take(CHARS_MAX).collect();
    known
        .into_iter()
        .map(|known| (distance(&name, &known.chars().collect::<Vec<_>>()), known))
        .filter(|(distance, _)| *distance <= EDITS_MAX && *distance < name.len())
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let (left, up, diagonal) = (next.last().copied(), row.get(j + 1).copied(), row.get(j).copied());
            let best = [left.map(|n| n + 1), up.map(|n| n + 1), diagonal.map(|n| n + usize::from(x != y))];
            next.push(best.into_iter().flatten().min().unwrap_or(0));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
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
