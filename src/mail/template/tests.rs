//! What the letters say, and which templates are refused.

use super::*;
use std::fs;

/// The embedded templates with some files of the centre's own over them.
fn with(files: &[(&str, &str)]) -> Result<Templates, TemplateError> {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    Templates::load(Some(folder.path()))
}

/// The error without its folder.
fn refused(files: &[(&str, &str)]) -> String {
    let error = with(files).expect_err("a wrong template was accepted").to_string();
    assert_eq!(error.lines().count(), 1, "one line: {error}");
    error.split_once("/id/").map_or(error.clone(), |(_, rest)| rest.to_owned())
}

fn ticket() -> Fields {
    Fields::new()
        .text("center_name", "Pusat Kontak Siber Nasional")
        .text("center_address", "bantuan70@bssn.test")
        .text("number", "BANTUAN70-2026-000123")
        .text("tag", "[BANTUAN70-2026-000123]")
        .number("verification_hours", 24)
        .number("analysis_hours", 72)
}

/// Every text field filled with its own name, every list with some words.
fn filled(name: TemplateName) -> Fields {
    let texts = name.fields().skip(7).filter(|(_, shape)| *shape == Shape::Text);
    let fields = texts.fold(ticket(), |fields, (field, _)| fields.text(field, field));
    let lists = name.fields().filter(|(_, shape)| *shape == Shape::List);
    lists.fold(fields, |fields, (field, _)| fields.list(field, ["identity", "form", "other"]))
}

#[test]
fn the_embedded_templates_are_in_order_and_all_listed() {
    let templates = Templates::load(None).unwrap();
    for name in TemplateName::ALL {
        for language in [Language::Id, Language::En] {
            let rendered = templates.render(*name, language, &filled(*name));
            assert!(rendered.text.lines().all(|line| line.len() <= 120), "{name}: lines that a terminal shows");
            assert!(!rendered.text.contains("\n\n\n"), "{name}: {}", rendered.text);
        }
    }
    for language in ["id", "en"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(language);
        for entry in fs::read_dir(folder).unwrap() {
            let path = format!("{language}/{}", entry.unwrap().file_name().to_string_lossy());
            assert!(EMBEDDED.iter().any(|(embedded, _)| *embedded == path), "{path} is not embedded");
        }
    }
}

#[test]
fn every_declared_field_is_documented() {
    let page = include_str!("../../../templates/README.md");
    for name in TemplateName::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap_or_else(|| panic!("{name} has no row"));
        for (field, _) in name.fields().skip(7) {
            assert!(row.contains(&format!("`{field}`")), "{name}: {field} is not in the table");
        }
    }
}

#[test]
fn letters_promise_the_terms_that_the_configuration_sets() {
    let templates = Templates::load(None).unwrap();
    let fields = ticket().number("verification_hours", 8).number("analysis_hours", 40).flag("in_working_hours", true);
    let letter = |language| templates.render(TemplateName::Acknowledgement, language, &fields).text;
    assert!(letter(Language::Id).contains("8 jam kerja.") && letter(Language::Id).contains("40 jam kerja."), "{}", letter(Language::Id));
    assert!(letter(Language::En).contains("8 working hours.") && letter(Language::En).contains("40 working hours."));
    assert!(!letter(Language::Id).contains("24 jam"));
}

#[test]
fn an_acknowledgement_asks_for_what_is_missing_alone() {
    let templates = Templates::load(None).unwrap();
    let all = ticket().list("missing", ["identity", "form", "other"]).flag("has_missing", true);
    let letter = templates.render(TemplateName::Acknowledgement, Language::Id, &all);
    assert_eq!(letter.subject, "[BANTUAN70-2026-000123] Laporan Anda telah kami terima");
    for words in ["    BANTUAN70-2026-000123\n", "KTP", "24 jam", "72 jam", "183", "Nama pelapor:\n", "Dampak:\n"] {
        assert!(letter.text.contains(words), "{words} is not in\n{}", letter.text);
    }
    let other = ticket().list("missing", ["other"]).flag("has_missing", true);
    let letter = templates.render(TemplateName::Acknowledgement, Language::En, &other);
    assert!(!letter.text.contains("passport") && !letter.text.contains("Name of reporter:"), "{}", letter.text);
    let none = templates.render(TemplateName::Acknowledgement, Language::En, &ticket());
    assert!(!none.text.contains("STILL NEED") && none.text.contains("Your documents are here"), "{}", none.text);
}

#[test]
fn l6_an_acknowledgement_is_small() {
    let templates = Templates::load(None).unwrap();
    let all = ticket().list("missing", ["identity", "form", "other"]).flag("has_missing", true);
    for language in [Language::Id, Language::En] {
        let letter = templates.render(TemplateName::Acknowledgement, language, &all);
        assert!(letter.text.len() + letter.html.map_or(0, |html| html.len()) < 4_096, "leaves room for the signature below 8 KiB");
    }
}

#[test]
fn m19_values_are_data_and_never_template_source() {
    let templates = Templates::load(None).unwrap();
    let hostile = "{{ center_address }} {% include '/etc/passwd' %} {# x #} <b>";
    let fields = ticket().text("text", hostile).text("from_name", hostile).list("indicators", [hostile]).text("subject", hostile);
    for name in [TemplateName::Reply, TemplateName::NoticeNew, TemplateName::Dissemination] {
        let letter = templates.render(name, Language::Id, &fields);
        assert!(letter.text.contains(hostile), "{name}: the value stands as it was given");
    }
    let with_html = with(&[("id/reply.html", "<p>{{ text }}</p>")]).unwrap();
    let html = with_html.render(TemplateName::Reply, Language::Id, &fields).html.unwrap();
    assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
}

#[test]
fn d1_a_subject_is_one_line_whatever_the_values() {
    let templates = Templates::load(None).unwrap();
    for hostile in ["a\r\nBcc: x@y", "a\nb", "a\rb", "a\u{85}b", "a\u{2028}b", "a\0b"] {
        let letter = templates.render(TemplateName::NoticeEvent, Language::Id, &ticket().text("what", hostile));
        assert!(!letter.subject.chars().any(|c| c.is_control() || c == '\u{2028}'), "{:?}", letter.subject);
    }
}

#[test]
fn f72_a_field_that_is_not_declared_is_named_with_file_and_line() {
    let error = refused(&[("id/reply.txt", "Subject: {{ tag }} a\n\nhello\n{{ texte }}\n")]);
    assert!(error.starts_with("reply.txt:4: 'texte' is no field of this letter"), "{error}");
    let hidden = refused(&[("id/reply.txt", "Subject: {{ tag }} a\n\n{% if false %}{{ password }}{% endif %}x\n")]);
    assert!(hidden.starts_with("reply.txt:3: 'password' is no field"), "{hidden}");
}

#[test]
fn f72_wrong_templates_are_refused_when_they_are_loaded() {
    for (path, content, place, reason) in [
        ("id/reply.txt", "Subject: {{ tag }} a\n\n{% if text %}\n", "reply.txt:", "syntax error"),
        ("id/reply.txt", "Subject: {{ tag }} a\n\n{{ text | nosuch }}\n", "reply.txt:3:", "nosuch"),
        ("id/reply.txt", "Subject: a\n\n{{ text }}\n", "reply.txt:1:", "{{ tag }} once"),
        ("id/reply.txt", "Subject: {{ tag }} {{ tag }}\n\n{{ text }}\n", "reply.txt:1:", "{{ tag }} once"),
        ("id/reply.txt", "{{ text }}\n", "reply.txt:1:", "'Subject:'"),
        ("id/reply.txt", "Subject: {{ tag }} a\n{{ text }}\n", "reply.txt:2:", "must be empty"),
        ("id/replay.txt", "Subject: {{ tag }} a\n\n{{ text }}\n", "replay.txt:", "no letter has this name"),
        ("id/receipt.txt", "Subject: {{ tag }} a\n\nhello\n", "receipt.txt:3:", "balas di atas garis ini"),
        ("id/phrases.toml", "[state\n", "phrases.toml:1:", ""),
    ] {
        let error = refused(&[(path, content)]);
        assert!(error.starts_with(place) && error.contains(reason), "{path} with {content:?} gave: {error}");
    }
}

#[test]
fn a_copied_text_that_the_program_no_longer_knows_warns_and_the_built_in_one_is_used() {
    let text = "[state]\nnwe = \"x\"\nnew = \"anyar\"\n\n[confirm]\nsigned = \"y\"\n";
    let templates = with(&[("id/phrases.toml", text)]).unwrap();
    let warnings: Vec<String> = templates.warnings().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings.iter().any(|warning| warning.contains("phrases.toml:2: state.nwe") && warning.contains("is no phrase")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|warning| warning.contains("phrases.toml:6: confirm.signed") && warning.contains("same {{ names }}")));
    assert_eq!(templates.phrase(Language::Id, "state.new", &[]), "anyar");
    assert!(templates.phrase(Language::Id, "confirm.signed", &[("label", "TLP:RED")]).contains("TLP:RED"));
    assert_eq!(Templates::load(None).unwrap().warnings().count(), 0);
}

#[test]
fn a_file_of_the_centre_stands_in_place_of_the_embedded_one_alone() {
    let templates =
        with(&[("id/reply.txt", "Subject: {{ tag }} Halo\r\n\r\n{{ text }}\r\n"), ("id/phrases.toml", "[state]\nnew = \"anyar\"\n")])
            .unwrap();
    let letter = templates.render(TemplateName::Reply, Language::Id, &ticket().text("text", "isi"));
    assert_eq!((letter.subject.as_str(), letter.text.as_str()), ("[BANTUAN70-2026-000123] Halo", "isi\n"));
    let english = templates.render(TemplateName::Reply, Language::En, &ticket().text("text", "isi"));
    assert!(english.subject.contains("Our answer"));
    assert_eq!(templates.phrase(Language::Id, "state.new", &[]), "anyar");
    assert_eq!(templates.phrase(Language::Id, "state.closed", &[]), "ditutup");
}

#[test]
fn mail_to_analysts_begins_with_the_line_and_holds_the_number_and_a_ready_command() {
    let templates = Templates::load(None).unwrap();
    for name in TemplateName::ALL.iter().filter(|name| name.is_to_analysts()) {
        for language in [Language::Id, Language::En] {
            let letter = templates.render(*name, language, &ticket().list("commands", ["!valid", "!tiket BANTUAN70-2026-000123\n!balas"]));
            let first = letter.text.lines().next().unwrap();
            assert!(first.contains(REPLY_ABOVE) && first.trim_end() != "--", "{name}: {first}");
            if !name.may_lack_ticket() {
                assert!(letter.text.contains("BANTUAN70-2026-000123"), "{name} names its ticket");
            }
            if matches!(name, TemplateName::NoticeNew | TemplateName::NoticeFollowup | TemplateName::NoticeEvent) {
                assert!(letter.text.contains("\n!tiket BANTUAN70-2026-000123\n!valid\n"), "{}", letter.text);
                assert!(letter.text.contains("\n\n!tiket BANTUAN70-2026-000123\n!balas\n"), "the line is not doubled: {}", letter.text);
            }
        }
    }
}

#[test]
fn the_label_stands_directly_before_and_after_what_is_disseminated() {
    let templates = Templates::load(None).unwrap();
    let fields = ticket().text("label", "TLP:AMBER").text("text", "Isi.").text("dissemination", "DIS-2026-0007");
    for language in [Language::Id, Language::En] {
        let letter = templates.render(TemplateName::Dissemination, language, &fields);
        assert!(letter.text.contains("\nTLP:AMBER\n\nIsi.\n\nTLP:AMBER\n"), "{}", letter.text);
        assert!(letter.text.contains("\n    DITERIMA\n"), "{}", letter.text);
        assert!(letter.subject.starts_with("[BANTUAN70-2026-000123] TLP:AMBER "), "{}", letter.subject);
    }
}

#[test]
fn a_phrase_takes_its_names_and_an_unknown_key_shows() {
    let templates = Templates::load(None).unwrap();
    let text = templates.phrase(Language::En, "confirm.signed", &[("label", "{{ label }} TLP:RED")]);
    assert!(text.contains("is marked {{ label }} TLP:RED,"), "a value is not looked into: {text}");
    assert_eq!(templates.phrase(Language::Id, "no.such", &[]), "?no.such?");
    assert!(templates.phrase(Language::Id, "confirm.signed", &[]).contains("?label?"));
}

#[test]
fn letters_to_reporters_have_no_field_for_what_a_reporter_wrote() {
    for name in [
        TemplateName::Acknowledgement,
        TemplateName::Closing,
        TemplateName::Survey,
        TemplateName::SurveyAgain,
        TemplateName::CannotDecrypt,
        TemplateName::Reminder,
    ] {
        for (field, _) in name.fields() {
            assert!(!["text", "subject", "from", "from_name", "attachments"].contains(&field), "{name} has {field}");
        }
    }
}

#[test]
fn the_form_that_goes_out_is_the_form_that_is_read_when_it_comes_back() {
    use crate::extract::form::{fields_of_form, looks_like_form};
    let templates = Templates::load(None).unwrap();
    for language in [Language::Id, Language::En] {
        let letter = templates.render(TemplateName::Request, language, &ticket().list("missing", ["form"]));
        let form: Vec<&str> = letter.text.lines().filter(|line| line.ends_with(':')).collect();
        assert!(looks_like_form(&form.join("\n")), "{}", letter.text);
        assert_eq!(fields_of_form(&form.join("\n")), None, "a blank form is none");
        let filled: Vec<String> = form.iter().map(|line| format!("{line} jawaban")).collect();
        let fields = fields_of_form(&filled.join("\n")).unwrap();
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["event", "impact", "name", "organisation", "system", "telephone", "time"]);
    }
}

#[test]
fn an_analysts_own_greeting_is_not_doubled() {
    let templates = Templates::load(None).unwrap();
    let letter = |name, language, text: &str| templates.render(name, language, &ticket().text("text", text)).text;
    for name in [TemplateName::Reply, TemplateName::Analysis] {
        assert!(letter(name, Language::Id, "Situs sudah pulih.").starts_with("Yth. Bapak/Ibu"));
        assert!(letter(name, Language::Id, "Yth. Ibu Siti,\n\nSitus sudah pulih.").starts_with("Yth. Ibu Siti,\n\nSitus"));
        assert!(letter(name, Language::Id, "  Selamat pagi Bu,\nSitus sudah pulih.").trim_start().starts_with("Selamat pagi"));
        assert!(letter(name, Language::En, "Dear Mr Tan,\n\nThe site is back.").starts_with("Dear Mr Tan,\n\nThe"));
    }
}
