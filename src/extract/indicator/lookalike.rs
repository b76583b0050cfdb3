//! Names that imitate others: the government's, known brands, letters of another script.

/// Whether a label mixes Latin letters with Cyrillic or Greek ones that look like them.
pub fn mixes_scripts(label: &str) -> bool {
    let has = |ranges: &[std::ops::RangeInclusive<char>]| label.chars().any(|c| ranges.iter().any(|range| range.contains(&c)));
    let latin = has(&['a'..='z', 'à'..='ɏ']);
    let others = has(&['\u{370}'..='\u{3ff}', '\u{400}'..='\u{52f}', '\u{530}'..='\u{58f}', '\u{13a0}'..='\u{13ff}']);
    latin && others
}

/// A genuine government domain of Indonesia (`.go.test` plays its part in tests).
#[must_use]
pub fn is_government(domain: &str) -> bool {
    [".go.id", ".go.test", ".desa.id", ".desa.test", ".mil.id"].iter().any(|suffix| domain.ends_with(suffix))
}

/// Whether a domain imitates: `go-id`, `goid` or a known name inside the registrable part of a domain
/// that is neither government nor the name's own `name.co.id`, `name.com`.
#[must_use]
pub fn is_lookalike(domain: &str, brands: &[String]) -> bool {
    if is_government(domain) || domain.ends_with(".id") || domain.ends_with(".sch.test") || domain.ends_with(".ac.test") {
        return false;
    }
    let labels: Vec<&str> = domain.split('.').collect();
    let imitates_government = labels.iter().any(|label| {
        let parts: Vec<&str> = label.split('-').collect();
        label.ends_with("goid") || parts.windows(2).any(|pair| pair == ["go", "id"])
    }) || domain.contains(".go.id.");
    let name = labels.iter().rev().nth(1).copied().unwrap_or_default();
    let borrows = brands
        .iter()
        .any(|brand| name != brand && (name.split('-').any(|part| part == brand) || (brand.len() >= 5 && name.contains(brand.as_str()))));
    imitates_government || borrows || domain.split('.').any(mixes_scripts)
}
