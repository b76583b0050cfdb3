//! Charts as inline SVG: no script, nothing from outside, colours from the page's style, so that they
//! follow dark mode and print. Each has a title for who does not see it. Text is escaped by the caller.

use super::Day;

/// Columns of a day chart; a longer period is drawn by weeks of days added up.
const COLUMNS_MAX: usize = 62;

/// Opened and closed by day, as columns side by side. `title` and `of_day` are escaped already.
pub(super) fn days(days: &[Day], title: &str) -> String {
    let joined = joined(days);
    let highest = joined.iter().map(|(_, opened, closed)| (*opened).max(*closed)).max().unwrap_or_default();
    let top = round_up(highest);
    let (width, height, left, bottom) = (760.0, 190.0, 34.0, 22.0);
    let plot = height - bottom - 8.0;
    let step = (width - left) / to_f64(joined.len().max(1));
    let bar = (step * 0.36).clamp(1.0, 16.0);
    let y = |value: u32| height - bottom - plot * f64::from(value) / f64::from(top.max(1));
    let mut svg = format!("<svg class=\"days\" viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{title}</title>");
    for part in [0, top / 2, top] {
        let at = y(part);
        svg.push_str(&format!(
            "<line class=\"grid\" x1=\"{left}\" x2=\"{width}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{part}</text>",
            left - 6.0,
            at + 4.0
        ));
    }
    let every = joined.len().div_ceil(12).max(1);
    for (place, (day, opened, closed)) in joined.iter().enumerate() {
        let middle = left + step * (to_f64(place) + 0.5);
        for (class, value, x) in [("opened", *opened, middle - bar - 0.5), ("closed", *closed, middle + 0.5)] {
            if value > 0 {
                let at = y(value);
                svg.push_str(&format!(
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{at:.1}\" width=\"{bar:.1}\" height=\"{:.1}\" rx=\"1.5\"><title>{day}: {value}</title></rect>",
                    height - bottom - at
                ));
            }
        }
        if place % every == 0 {
            let label = day.get(8..).unwrap_or_default().trim_start_matches('0');
            svg.push_str(&format!("<text class=\"axis\" x=\"{middle:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", height - 6.0));
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Days as they are, or added up so that not more columns stand than are read.
fn joined(days: &[Day]) -> Vec<(&str, u32, u32)> {
    let each = days.len().div_ceil(COLUMNS_MAX).max(1);
    days.chunks(each)
        .map(|chunk| {
            let day = chunk.first().map_or("", |day| day.day.as_str());
            (day, chunk.iter().map(|day| day.opened).sum(), chunk.iter().map(|day| day.closed).sum())
        })
        .collect()
}

/// A number at or above that halves well.
fn round_up(value: u32) -> u32 {
    let steps = [2, 4, 6, 8, 10, 12, 14, 16];
    let mut unit = 1_u32;
    while unit < 100_000_000 {
        if let Some(step) = steps.iter().map(|step| step * unit).find(|step| *step >= value) {
            return step;
        }
        unit *= 10;
    }
    value
}

/// Horizontal bars with their values; names are escaped already. `highest` is the full length, where
/// the bars have one of their own.
pub(super) fn bars(rows: &[(String, f64, String)], highest: Option<f64>, title: &str) -> String {
    let highest = highest.unwrap_or_else(|| rows.iter().map(|(_, value, _)| *value).fold(0.0, f64::max)).max(f64::MIN_POSITIVE);
    let (width, row, left, right) = (380.0, 24.0, 186.0, 44.0);
    let height = row * to_f64(rows.len().max(1));
    let mut svg = format!("<svg class=\"bars\" viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{title}</title>");
    for (place, (name, value, shown)) in rows.iter().enumerate() {
        let y = row * to_f64(place);
        let length = ((width - left - right) * value / highest).max(1.0);
        svg.push_str(&format!(
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text><rect class=\"bar\" x=\"{left}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"14\" rx=\"2\"/><text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{shown}</text>",
            left - 8.0,
            y + 16.0,
            y + 5.0,
            left + length + 6.0,
            y + 16.0
        ));
    }
    svg.push_str("</svg>");
    svg
}

/// One bar of what was kept and what was missed.
pub(super) fn share(kept: u32, missed: u32, title: &str) -> String {
    let all = f64::from(kept.saturating_add(missed)).max(1.0);
    let width = 220.0;
    let good = width * f64::from(kept) / all;
    let bad = width * f64::from(missed) / all;
    format!(
        "<svg class=\"share\" viewBox=\"0 0 {width} 12\" role=\"img\"><title>{title}</title><rect class=\"rest\" width=\"{width}\" height=\"12\" rx=\"3\"/><rect class=\"kept\" width=\"{good:.1}\" height=\"12\" rx=\"3\"/><rect class=\"missed\" x=\"{good:.1}\" width=\"{bad:.1}\" height=\"12\" rx=\"3\"/></svg>"
    )
}

fn to_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
