//! A message against a rule set: scores, margin, reasons.

use crate::model::effect::Indicators;
use crate::model::ticket::Priority;
use crate::model::{Category, Language, Tlp};
use serde::Serialize;

/// What the rules make of a message.
#[derive(Debug, Clone, Serialize)]
pub struct Assessment {
    pub category: Category,
    /// The score of `category`.
    pub score: f64,
    /// How far the second best is behind.
    pub margin: f64,
    /// Under the threshold or the margin: `other` until a person says; the best two are in `scores`.
    pub is_unsure: bool,
    /// Spam with so clear a margin that no ticket opens (contract 8).
    pub is_clear_spam: bool,
    /// Every category with a score, best first.
    pub scores: Vec<(Category, f64)>,
    /// RSIT `class:type`.
    pub rsit: String,
    pub priority: Priority,
    /// The most restrictive mark that the sender stated.
    pub tlp: Option<Tlp>,
    pub language: Language,
    pub indicators: Indicators,
    pub fired: Vec<Fired>,
    /// The version (hash) of the rule set.
    pub rules_version: String,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fired {
    pub rule: String,
    pub category: Category,
    pub adds: f64,
    /// The words it saw, with the place: `subject: "situs diretas"`.
    pub saw: Vec<String>,
    pub reason_id: String,
    pub reason_en: String,
}
