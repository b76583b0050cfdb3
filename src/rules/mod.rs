//! Classification by rule files: what a message is about, how sure that is, and why.

mod affix;
pub mod assess;
mod compile;
mod condition;
pub mod explain;
mod expression;
mod facts;
mod lacking;
mod lexicon;
mod likeness;
mod rsit;
mod scan;
pub mod selftest;
pub mod set;
pub mod syntax;
pub mod taught;
mod vocabulary;
mod words;

pub use assess::{Assessment, Fired, Unsure, assess};
pub use set::{FILES_MAX, PAGE, RuleSet, is_rule_file, passed_over};
pub use syntax::RulesError;
