//! `bantuan70 retention`: what may not be kept any longer.

use super::listing::{Desk, cell, open, print_json, print_rows, who};
use super::{Common, Exit, Failure, Outcome, print};
use crate::daemon;
use crate::store::RetentionTerms;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what is due to be erased, the oldest first
    Show,
    /// Erase it now; the history, figures and audit log stay
    Run,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let desk = open(common)?;
    let terms = daemon::retention_terms(&desk.config);
    if terms.identity_documents.is_none() && terms.messages.is_none() {
        return Err(Failure::usage(format!(
            "{}: [retention] names no term, so everything is kept; set identity_documents = \"90d\" or messages = \"5y\"",
            desk.config.file.display()
        )));
    }
    match arguments.verb {
        Verb::Show => {
            let rows = desk.store.retention_due(terms, &desk.view)?;
            print_rows(common, &rows, &["ERASES", "TICKET", "SINCE", "MAILS", "FILES", "LETTERS"], |row| {
                vec![
                    row.erases.word().to_owned(),
                    row.ticket.clone().unwrap_or_else(|| "none".to_owned()),
                    row.since.clone(),
                    row.mails.to_string(),
                    row.files.to_string(),
                    row.letters.to_string(),
                ]
            })
        }
        Verb::Run => erase(common, &desk, terms),
    }
}

fn erase(common: &Common, desk: &Desk, terms: RetentionTerms) -> Outcome {
    let by = who();
    let mut count = 0_u64;
    while let Some(erased) = desk.store.erase_next(terms, &by, &desk.view)? {
        count += 1;
        if common.json {
            print_json(&erased)?;
        } else {
            print(format!("erased {} of {} (since {})", erased.erases.word(), cell(erased.ticket.as_ref()), erased.since))?;
        }
    }
    if count == 0 && !common.json {
        print("nothing is due")?;
    }
    Ok(Exit::Done)
}
