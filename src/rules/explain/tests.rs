use super::*;
use crate::config::Config;
use crate::daemon::house;
use crate::mail::read::read;
use crate::mail::told::tell;
use crate::rules::assess::assess;
use crate::rules::compile::Condition;
use crate::rules::selftest::{mail, whole_tests};
use crate::rules::syntax::Parts;

/// One in so many of the tests of the shipped rules, and every mail of the project's own.
fn mails(rules: &RuleSet, one_in: usize) -> Vec<Mail> {
    let mut mails: Vec<Mail> = whole_tests(rules).step_by(one_in).map(|test| mail(&test.parts())).collect();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            mails.push(read(&std::fs::read(path).unwrap()).0);
        }
    }
    // What the tests above have little of: rules that damp, rules that cover one another, and advertising.
    for text in [
        "Undangan webinar ransomware: biaya Rp750.000, kuota terbatas, daftar sekarang. Promo diskon 50%.",
        "Mohon narasumber seminar tentang phishing dan kebocoran data di kampus kami.",
        "Server kami kena ransomware, semua berkas terkunci.\n\nSalam\nPT Maju. Promo diskon 50%, webinar gratis, daftar sekarang!",
        "Apakah situs ini resmi? Teman saya diminta OTP dan WA-nya dibajak orang, lalu data KTP dipakai pinjol.",
    ] {
        mails.push(mail(&Parts { text: text.to_owned(), ..Parts::default() }));
    }
    mails
}

/// Hundredths, so that sums are exact.
fn cents(number: &str) -> i64 {
    (number.replace(',', ".").parse::<f64>().unwrap() * 100.0).round() as i64
}

/// What the lines of an explanation come to, and the totals that it names: one for each of its parts.
fn sums(text: &str) -> Vec<(i64, Option<i64>)> {
    let mut sums = Vec::new();
    for line in text.lines().skip(1) {
        let (first, rest) = line.trim_start().split_once(' ').unwrap_or((line.trim_start(), ""));
        match first {
            _ if line.ends_with(':') && !line.starts_with(' ') => sums.push((0, None)),
            "×" => {
                let share = cents(rest.split_once(' ').unwrap().0);
                let last = sums.last_mut().unwrap();
                last.0 = (last.0 as f64 * share as f64 / 100.0).round() as i64;
            }
            "=" => sums.last_mut().unwrap().1 = Some(cents(rest)),
            _ if line.starts_with("  ") && first.starts_with(['+', '-']) => sums.last_mut().unwrap().0 += cents(first),
            _ => {}
        }
    }
    sums
}

/// What the lines under a heading come to.
fn part_of(text: &str, heading: &str) -> Option<i64> {
    let (_, part) = text.split_once(&format!("\n{heading}:\n"))?;
    Some(sums(&format!("-\n{heading}:\n{part}")).first()?.0)
}

#[test]
fn what_is_shown_adds_up_to_the_score() {
    let rules = RuleSet::embedded().unwrap();
    let templates = Templates::load(None).unwrap();
    let (mut damped, mut against) = (0, 0);
    for mail in mails(&rules, 3) {
        let explanation = explain(&rules, &mail, &tell(&mail, &house(&Config::defaults())));
        let text = explanation.text(Language::Id, &templates);
        let a = &explanation.assessment;
        let header = text.lines().next().unwrap().split_once(" · skor ");
        assert_eq!(header.is_none(), a.is_unsure, "{text}");
        if let Some((_, header)) = header {
            let header: String = header.chars().take_while(|c| *c == '-' || *c == ',' || c.is_ascii_digit()).collect();
            assert_eq!(cents(header.trim_end_matches(',')), (a.score * 100.0).round() as i64, "{text}");
        }
        let shown = sums(&text);
        for (sum, total) in &shown {
            assert!(total.is_none_or(|total| total == *sum), "{sum}: {text}");
        }
        let own = part_of(&text, "Karena");
        assert!(own.is_none() || !a.is_unsure, "what was not chosen has no reasons: {text}");
        assert!(a.is_unsure || own.unwrap_or(0) == (a.score * 100.0).round() as i64, "{text}");
        for (index, (category, score)) in a.scores.iter().enumerate() {
            let part = explanation.part(*category, String::new());
            let sum: f64 = part.lines.iter().map(|fired| fired.adds).sum();
            let sum = part.damped.map_or(sum, |damped| sum * damped.share);
            assert!((sum - score).abs() < 0.006, "{index} {category}: {sum} {score}");
        }
        damped += usize::from(text.contains("\n  × "));
        against += usize::from(text.contains("\nYang menunjuk ke "));
    }
    assert!(damped > 10 && against > 10, "{damped} {against}");
}

#[test]
fn what_would_have_changed_it_is_what_would_have_come_out() {
    let mut rules = RuleSet::embedded().unwrap();
    let (mut checked, mut several) = (0, 0);
    for mail in mails(&rules, 6) {
        let told = tell(&mail, &house(&Config::defaults()));
        for turn in explain(&rules, &mail, &told).turns.iter().filter(|turn| turn.because != Because::WithoutDenial) {
            let names: Vec<&str> = turn.rule.split(", ").collect();
            // The same set with these rules made to hold never; what it learnt from their examples stays.
            let mut kept = Vec::new();
            for (index, rule) in rules.compiled.rules.iter_mut().enumerate().filter(|(_, rule)| names.contains(&&*rule.id)) {
                kept.push((index, std::mem::replace(&mut rule.condition, Condition::One(Vec::new()))));
            }
            assert_eq!(kept.len(), names.len(), "{names:?}");
            let found = assess(&rules, &mail, &told);
            assert_eq!((found.category, found.is_unsure), (turn.category, turn.is_unsure), "{turn:?} {}", mail.text.new);
            for (index, condition) in kept {
                rules.compiled.rules.get_mut(index).unwrap().condition = condition;
            }
            checked += 1;
            several += usize::from(names.len() > 1);
        }
    }
    assert!(checked > 100 && several > 20, "{checked} {several}");
}

#[test]
fn a_denial_that_decides_is_named_and_without_it_the_mail_is_what_is_said() {
    let rules = RuleSet::embedded().unwrap();
    let parts = |text: &str| Parts { text: text.to_owned(), ..Parts::default() };
    let config = house(&Config::defaults());
    for (denied, plain) in [
        ("Server kami tidak kena ransomware.", "Server kami kena ransomware."),
        ("Tidak ada data pelanggan yang bocor dan dijual.", "Ada data pelanggan yang bocor dan dijual."),
        ("We looked into it: this is not a phishing site.", "We looked into it: this is a phishing site."),
    ] {
        let mail_denied = mail(&parts(denied));
        let told = tell(&mail_denied, &config);
        let turns = explain(&rules, &mail_denied, &told).turns;
        let turn = turns.iter().find(|turn| turn.because == Because::WithoutDenial).unwrap_or_else(|| panic!("{denied}: {turns:?}"));
        assert!(!turn.saw.is_empty() && !turn.rule.is_empty(), "{turn:?}");
        let mail_plain = mail(&parts(plain));
        assert_eq!(turn.category, assess(&rules, &mail_plain, &tell(&mail_plain, &config)).category, "{denied}");
    }
}

#[test]
fn nothing_in_its_words_makes_automatic_mail_a_report() {
    let rules = RuleSet::embedded().unwrap();
    let raw = b"From: a@b.example\r\nAuto-Submitted: auto-replied\r\nSubject: Re: laporan\r\n\r\nServer kami kena ransomware, semua berkas terkunci.\r\n";
    let (mail, _) = read(raw);
    let explanation = explain(&rules, &mail, &tell(&mail, &house(&Config::defaults())));
    assert_eq!(explanation.turns, Vec::new());
    let text = explanation.text(Language::En, &Templates::load(None).unwrap());
    assert!(text.contains("automatic mail by its headers: no ticket opens"), "{text}");
}

#[test]
fn beside_advertising_the_passage_is_quoted_that_reads_like_a_report() {
    let rules = RuleSet::embedded().unwrap();
    let templates = Templates::load(None).unwrap();
    let why = |text: &str| {
        let mail = mail(&Parts { text: text.to_owned(), ..Parts::default() });
        explain(&rules, &mail, &tell(&mail, &house(&Config::defaults())))
    };
    let advert = "PROMO besar! Diskon 50% untuk jasa SEO, penawaran paket murah, hubungi kami sekarang.";
    let report = "Server kami kena ransomware, semua berkas terkunci dan pelaku meminta tebusan.";
    let both = why(&format!("{report}\n\n{advert}"));
    assert_eq!(both.assessment.unsure_because, Some(Unsure::BesideAdvertising));
    let passage = both.beside.as_ref().unwrap();
    assert_eq!((passage.reads_as, passage.category), (ReadsAs::Report, Some(Category::Malware)));
    for (language, told, because) in [
        (Language::Id, "bagian ini terbaca seperti laporan", "\nKarena:"),
        (Language::En, "this passage reads like a report", "\nBecause:"),
    ] {
        let text = both.text(language, &templates);
        assert!(text.contains(told) && text.contains(&format!("\"{}", "Server kami kena ransomware")), "{text}");
        assert!(!text.contains(because) && !text.lines().next().unwrap().contains(" -") && !text.contains("[likeness-other]"), "{text}");
        let page = both.html(language, &templates, "x");
        assert!(page.contains(told) && page.contains("Server kami kena ransomware"), "{page}");
        let lines = both.reason_lines(language, &templates).join("\n");
        assert!(lines.contains(told) && lines.contains("Server kami kena ransomware"), "{lines}");
    }
    assert_eq!(serde_json::to_value(&both).unwrap()["beside"]["reads_as"], "report");

    let alone = why(&format!("{advert} Kantor ada di Jalan Merdeka."));
    assert_eq!(alone.assessment.category, Category::Spam, "{:?}", alone.assessment.unsure_because);
    let passage = alone.beside.as_ref().unwrap();
    assert_eq!(passage.reads_as, ReadsAs::Nothing);
    let text = alone.text(Language::Id, &templates);
    assert!(text.contains("sudah dibaca dan bukan laporan") && text.contains(&passage.text), "{text}");
}

#[test]
fn few_lines_say_what_would_have_changed_the_result_as_the_whole_does() {
    let rules = RuleSet::embedded().unwrap();
    let templates = Templates::load(None).unwrap();
    let mut several = 0;
    for mail in mails(&rules, 12) {
        let explanation = explain(&rules, &mail, &tell(&mail, &house(&Config::defaults())));
        let (lines, text) = (explanation.turned_lines(Language::Id, &templates), explanation.text(Language::Id, &templates));
        assert_eq!(lines.len(), explanation.turns.len());
        for (line, turn) in lines.iter().zip(&explanation.turns) {
            let told = line.strip_prefix("Yang akan mengubah hasilnya: ").unwrap();
            let then = templates.phrase(Language::Id, &format!("category.{}", turn.category.word()), &[]);
            assert!(told.contains(&format!("→ {then}")) && told.contains(&format!("[{}]", turn.rule)), "{told}");
            several += usize::from(matches!(turn.because, Because::WithoutStrongest(count) if count > 1));
            assert!(text.contains(told.split(" [").next().unwrap()), "{told}: {text}");
        }
    }
    assert!(several > 5, "{several}");
}
