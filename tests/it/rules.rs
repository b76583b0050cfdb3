//! Rules: the shipped set and its tests, the verbs, and what hostile or wrong rule files do.

mod denial;
mod mistakes;

use crate::store::{arrival, opens, place, time};
use bantuan70::config::Config;
use bantuan70::daemon::house;
use bantuan70::mail::template::Templates;
use bantuan70::mail::told::tell;
use bantuan70::model::Category;
use bantuan70::model::effect::Effect;
use bantuan70::model::snapshot::Question;
use bantuan70::model::ticket::{Priority, TicketEvent};
use bantuan70::rules::syntax::{Parts, Source};
use bantuan70::rules::{Assessment, RuleSet, Unsure, assess, explain, selftest};
use bantuan70::store::Store;

fn set(text: &str) -> Result<RuleSet, String> {
    RuleSet::from_sources(vec![Source { name: "rules/x.toml".to_owned(), text: text.to_owned() }]).map_err(|error| error.to_string())
}

/// What a set makes of a mail to the centre of the defaults.
fn judged(rules: &RuleSet, parts: &Parts) -> Assessment {
    let mail = selftest::mail(parts);
    assess(rules, &mail, &tell(&mail, &house(&Config::defaults())))
}

fn rule(when: &str) -> String {
    format!("[[rule]]\nid = \"x\"\ncategory = \"malware\"\nweight = 3.0\nreason_id = \"a\"\nreason_en = \"b\"\nwhen = {when}\n")
}

#[test]
fn the_shipped_rules_pass_their_own_tests_and_each_has_an_example() {
    let report = selftest::run(&RuleSet::embedded().unwrap(), &house(&Config::defaults()));
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(report.untested, Vec::new());
}

#[test]
fn the_shipped_examples_are_many_and_few_of_them_come_from_the_corpus() {
    let (mut own, mut corpus) = (0, 0);
    for (name, text) in RuleSet::embedded_files() {
        let file = Source { name: (*name).to_owned(), text: (*text).to_owned() }.parse().unwrap();
        let examples: usize = file.rule.iter().map(|rule| rule.examples.len() + rule.counterexamples.len()).sum();
        // What was taken from the development corpus stands in files of this name alone.
        *(if name.starts_with("latih_") { &mut corpus } else { &mut own }) += examples + file.test.len();
        for rule in &file.rule {
            assert!(!rule.examples.is_empty(), "{name}: rule {} has no example", rule.id.get_ref());
        }
    }
    assert!(own + corpus >= 400, "{own} and {corpus}");
    assert!(own >= 3 * corpus, "at least three quarters are of our own: {own} and {corpus}");
}

#[test]
fn garbage_and_languages_that_no_rule_speaks_are_left_to_a_person() {
    for text in [
        "",
        " \t\r\n",
        "asdf qwe zxcv lkjh poiu mn",
        "abcdefghijklmnopqrstuvwxyz",
        "zq3 http://x1.example/a k9",
        "link",
        "%PDF-1.4 obj stream xref 12 34 endobj",
        "\u{1}\u{8f}\u{fffd}\u{fffd}k\u{7}\u{fffd}q\u{fffd}\u{1b}v",
        "尊敬的先生，我们公司是专业的制造商，请联系我们获取报价。",
        "Здравствуйте, у нас есть вопрос о вашем сервере. Пожалуйста, ответьте.",
        "السلام عليكم، لدينا سؤال حول الموقع",
        "Guten Tag, wir haben eine Frage zu Ihrer Rechnung und warten auf Ihre Antwort.",
    ] {
        let found = assessed("", text);
        assert_eq!((found.category, found.is_unsure), (Category::Other, true), "{text}: {:?}", found.scores);
    }
}

/// The keys that may stand at a place of a rule file: the parser names them where it meets another.
fn keys(text: &str) -> Vec<String> {
    let error = set(text).unwrap_err();
    let (_, expected) = error.split_once("the keys here are").unwrap_or_else(|| panic!("{error}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn each_key_of_a_rule_file_stands_in_the_page_for_analysts() {
    let page = include_str!("../../rules/README.md");
    let in_rule = rule("{ any = [\"virus\"] }");
    for (place, text) in [
        ("file", "zzz = 1".to_owned()),
        ("rule", in_rule.replacen("id =", "zzz = 1\nid =", 1)),
        ("when", rule("{ zzz = 1 }")),
        ("near", rule("{ near = [{ zzz = 1 }] }")),
        ("decision", "[decision]\nzzz = 1\n".to_owned()),
        ("negation", "[negation]\nzzz = 1\n".to_owned()),
        ("test", "[[test]]\nzzz = 1\n".to_owned()),
        ("attachment", "[[test]]\nattachments = [{ zzz = 1 }]\n".to_owned()),
    ] {
        let keys = keys(&text);
        assert!(keys.len() > 2, "{place}: {keys:?}");
        for key in keys {
            let is_there = page.contains(&format!("`{key}`")) || page.contains(&format!("`{key} =")) || page.contains(&format!("[{key}]"));
            assert!(is_there || page.contains(&format!("[[{key}]]")), "{place}: the page says nothing of `{key}`");
        }
    }
}

#[test]
fn m14_expressions_of_rules_are_linear_and_bounded() {
    let huge = set(&rule("{ regex = '(?:x{1000}){1000}' }")).unwrap_err();
    assert!(huge.contains("regex"), "{huge}");
    let rules = set(&rule("{ regex = '(a+)+$' }")).unwrap();
    let parts = Parts { subject: format!("{}!", "a".repeat(1 << 19)), ..Default::default() };
    // An engine that backtracks would not come back from this.
    assert!(judged(&rules, &parts).fired.is_empty());
}

#[test]
fn the_version_is_that_of_the_files_and_not_of_their_place() {
    let text = rule("{ any = [\"virus\"] }");
    let named = |name: &str, text: &str| {
        RuleSet::from_sources(vec![Source { name: name.to_owned(), text: text.to_owned() }]).unwrap().version().to_owned()
    };
    assert_eq!(named("/etc/a/x.toml", &text), named("rules/x.toml", &text));
    assert_ne!(named("rules/x.toml", &text), named("rules/x.toml", &format!("{text}# changed\n")));
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bantuan70")).args(arguments).current_dir(folder.path()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_verbs_need_no_configuration_and_answer_as_the_contract_says() {
    let (code, out, _) = run(&["rules", "check"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("ok: "), "{out}");
    let version = RuleSet::embedded().unwrap().version().to_owned();
    let mail = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/l10-reply-to-our-acknowledgement.eml");
    for (language, by) in [("en", "By the set of rules"), ("id", "Menurut kumpulan aturan")] {
        let (_, out, _) = run(&["rules", "explain", "--language", language, mail]);
        assert!(out.contains(&format!("{by} {version}\n")), "{out}");
    }
    let (code, out, _) = run(&["rules", "list", "--json"]);
    assert_eq!(code, 0);
    for line in out.lines() {
        let rule: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(rule["id"].is_string() && rule["reason_id"].is_string() && rule["weight"].is_number(), "{line}");
    }
}

#[test]
fn a_wrong_file_exits_2_and_a_failing_test_exits_1() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, "[[rule]]\nid = \"x\"\nwheight = 1\n").unwrap();
    let (code, _, err) = run(&["rules", "check", "--rules", dir]);
    assert_eq!(code, 2);
    assert!(err.contains("a.toml:3: rule 'x': wheight"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");

    let text = rule("{ any = [\"virus\"] }") + "examples = [\"a mail without that word\"]\n";
    std::fs::write(&file, text).unwrap();
    assert_eq!(run(&["rules", "check", "--rules", dir]).0, 0);
    let (code, out, _) = run(&["rules", "test", "--rules", dir]);
    assert_eq!(code, 1);
    assert!(out.contains("FAIL") && out.contains("a.toml:8"), "{out}");
}

#[test]
fn an_explanation_names_rules_words_places_and_what_would_have_changed_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.eml");
    let mail = "From: Budi <budi@dinas.example>\r\nSubject: laporan\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
        <p>Selamat pagi, server kami terkena ransomware, semua berkas terkunci. Ini bukan phishing.</p><p>&lt;script&gt;alert(1)&lt;/script&gt;</p>";
    std::fs::write(&file, mail).unwrap();
    let path = file.to_str().unwrap();
    let (code, text, _) = run(&["rules", "explain", path]);
    assert_eq!(code, 0);
    assert!(text.contains("malware ·") && text.contains("[malware-files-locked]") && text.contains("\"terkunci\""), "{text}");
    assert!(!text.contains("[phishing-named]"), "a denied word counts nothing: {text}");
    let (_, html, _) = run(&["rules", "explain", "--html", "--language", "id", path]);
    assert!(html.contains("<mark class=\"malware\"") && html.contains("skor"), "{html}");
    assert!(!html.contains("<script") && html.contains("default-src 'none'"), "{html}");
    let (_, json, _) = run(&["rules", "explain", "--json", path]);
    let object: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["assessment"]["category"], "malware");
    assert!(object["assessment"]["fired"].as_array().is_some_and(|fired| !fired.is_empty()));
    assert_eq!((&object["assessment"]["language"], &object["assessment"]["tlp"]), (&"id".into(), &serde_json::Value::Null));
    assert!(object["assessment"]["indicators"]["urls"].is_array() && object["assessment"]["indicators_dropped"] == 0, "{json}");
}

fn explained(text: &str, language: bantuan70::model::Language) -> String {
    let mail = selftest::mail(&Parts { text: text.to_owned(), ..Default::default() });
    explain::explain(&RuleSet::embedded().unwrap(), &mail, &tell(&mail, &house(&Config::defaults())))
        .text(language, &Templates::load(None).unwrap())
}

#[test]
fn an_explanation_is_in_the_readers_language_and_shows_what_was_seen_besides_words() {
    use bantuan70::model::Language::{En, Id};
    let told = "Ada situs palsu https://bpjs-go.example yang meminta kata sandi.\nMohon ditindak.";
    let text = explained(told, Id);
    assert!(
        text.starts_with("pengelabuan · skor ") && text.contains("prioritas sedang") && text.contains("terlihat di baris 1: "),
        "{text}"
    );
    assert!(text.contains("domain: \"bpjs-go.example\""), "the domain that imitates another is named: {text}");
    assert!(!text.contains("new 1") && !text.contains("phishing ·") && !text.contains("medium"), "{text}");
    let text = explained(told, En);
    assert!(text.starts_with("phishing · score ") && text.contains("priority medium") && text.contains("seen in line 1: "), "{text}");
}

#[test]
fn an_explanation_says_how_many_reasons_would_have_to_be_wrong_together() {
    use bantuan70::model::Language::{En, Id};
    let told = "Semua berkas server terkunci oleh ransomware dan diminta tebusan bitcoin, komputer terinfeksi virus.";
    let (id, en) = (explained(told, Id), explained(told, En));
    assert!(id.contains("Yang akan mengubah hasilnya:\n  tanpa ") && id.contains(" alasan terkuat → "), "{id}");
    let turned = en.split_once("What would have changed it:\n  without the ").unwrap_or_else(|| panic!("{en}")).1;
    let (first, grounds) = turned.split_once('\n').unwrap();
    let many: usize = first.split_once(" strongest reasons → ").unwrap().0.parse().unwrap();
    let grounds: Vec<&str> = grounds.lines().take_while(|line| line.starts_with("         \"")).collect();
    assert_eq!(grounds.len(), many, "{en}");
    assert!(many > 3 && grounds.iter().all(|line| line.contains("\" [") && line.contains("], seen in line 1: \"")), "{en}");
    let counted = en.split_once("What would have changed it:").unwrap().0;
    let is_counted = |line: &&&str| line.split(['[', ']']).nth(1).is_some_and(|rule| counted.contains(&format!("[{rule}]")));
    let fellows = grounds.iter().filter(|line| !is_counted(line)).count();
    assert!(fellows > 0, "a rule that steps in for one of its group has its sentence too: {en}");
    let unsure = explained("halo", Id);
    assert!(unsure.contains("lain-lain"), "{unsure}");
    let unsure = explained("link", En);
    assert!(unsure.contains("no kind reaches the threshold: 0.80") && unsure.contains("nearest: phishing 0.40"), "{unsure}");
}

fn assessed(subject: &str, text: &str) -> Assessment {
    static RULES: std::sync::LazyLock<RuleSet> = std::sync::LazyLock::new(|| RuleSet::embedded().unwrap());
    judged(&RULES, &Parts { subject: subject.to_owned(), text: text.to_owned(), ..Default::default() })
}

#[test]
fn m15_a_host_of_mixed_scripts_is_marked() {
    let text = "tolong cek https://bаnk.example/login";
    let found = assessed("", text);
    assert!(found.tags.contains("mixed-script"), "{found:?}");
    let mail = selftest::mail(&Parts { text: text.to_owned(), ..Default::default() });
    let indicators = tell(&mail, &house(&Config::defaults())).indicators;
    assert!(indicators.domains.iter().any(|domain| domain.starts_with("xn--")), "{indicators:?}");
}

#[test]
fn m15_what_the_signatures_in_a_quotation_and_a_newsletter_name_is_no_indicator() {
    let raw = |list: &str| {
        format!(
            "From: a@b.test\r\n{list}Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n\
             <p>Kami menerima ini.</p><a href=\"https://track.kurir.example/resi\">resi</a>\
             <blockquote><p>Buka www.jahat.example</p>-- <br>Ani<br>www.kantor.example</blockquote>"
        )
    };
    let domains = |list: &str| {
        let (mail, _) = bantuan70::mail::read::read(raw(list).as_bytes());
        tell(&mail, &house(&Config::defaults())).indicators.domains.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(domains(""), ["track.kurir.example", "www.jahat.example"], "what a swindler's link counts is an indicator");
    assert_eq!(
        domains("List-Id: <promo.kurir.example>\r\nList-Unsubscribe: <https://kurir.example/u>\r\nPrecedence: bulk\r\n"),
        ["www.jahat.example"]
    );
}

#[test]
fn hostile_texts_are_assessed_in_bounded_work() {
    for text in [
        String::new(),
        "tidak ".repeat(40_000),
        "slot gacor situs ".repeat(15_000),
        "a".repeat(2 << 20),
        "hxxp://a[.]example/ ".repeat(10_000),
        "\u{202e}\u{200b}\0\u{fffd}".repeat(20_000),
        "((((".repeat(40_000),
    ] {
        let found = assessed(&text.chars().take(1 << 14).collect::<String>(), &text);
        assert!(found.score.is_finite());
    }
}

#[test]
fn every_rule_file_of_the_project_is_built_in() {
    let mut built_in: Vec<&str> = RuleSet::embedded_files().iter().map(|(name, _)| *name).collect();
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rules")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut on_disk: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
    built_in.sort_unstable();
    on_disk.sort_unstable();
    assert_eq!(built_in, on_disk, "a file that is left out teaches and tests nothing where the built-in rules are used");
}

#[test]
fn a_true_report_is_never_clear_spam() {
    let rules = RuleSet::embedded().unwrap();
    for test in selftest::whole_tests(&rules) {
        let found = judged(&rules, &test.parts());
        assert!(test.category == "spam" || !found.is_clear_spam, "{} {}", test.category, test.text);
    }
}

#[test]
fn a_report_with_advertising_beside_it_opens_a_ticket() {
    let adverts = [
        "Dapatkan promo diskon 50% penawaran harga spesial webinar sertifikat gratis daftar sekarang!",
        "Follow us and get special offer: free trial 14 days, book a demo today!",
        "Promo slot gacor maxwin bonus new member 100 deposit pulsa daftar sekarang klik link",
    ];
    let reports = [
        "Server kami kena ransomware, semua berkas terkunci.",
        "WA saya dibajak orang sejak kemarin, pelaku minta transfer ke teman saya.",
        "Server RSUD kami lumpuh, semua berkas terenkripsi ransomware, ada catatan tebusan.",
    ];
    for (report, advert) in reports.iter().flat_map(|report| adverts.map(|advert| (report, advert))) {
        for text in [
            format!("{report}\n\nSalam,\nPT Maju\n{advert}"),
            format!("{advert}\n{report}"),
            format!("{advert}\n{report}\n{}", advert.repeat(20)),
        ] {
            let found = assessed("Laporan", &text);
            assert!(found.category != Category::Spam && !found.is_clear_spam, "{text}: {:?}", found.scores);
        }
    }
    // A letter that names no incident is no advertising either; what comes with it does.
    let footers = [
        "Jasa pembuatan toko daring mulai 400rb, garansi! Promo sampai akhir bulan, chat WA sekarang",
        "Butuh dana tunai? Pinjaman cair cepat tanpa jaminan, bunga ringan, daftar sekarang",
        "Dapatkan diskon 40% semua paket! Gratis ongkir, promo terbatas, pesan sekarang juga.\nKlik di sini untuk berhenti berlangganan.",
    ];
    for footer in footers {
        for letter in [
            "Yth. Bapak/Ibu,\n\nTerlampir surat kepala dinas beserta kronologinya. Mohon arahan lebih lanjut.",
            "server klien kami semua filenya kekunci, ada catatan minta tebusan.",
            "http://arsip.dinas-contoh.go.test/berkas/slot-gacor/",
        ] {
            let found = assessed("", &format!("{letter}\n\n{footer}\n"));
            assert_ne!(found.category, Category::Spam, "{letter} {footer}: {:?}", found.scores);
        }
        assert!(assessed("Penawaran", footer).category == Category::Spam, "{footer}");
    }
    let found = assessed("Laporan ransomware", &format!("{}\n\nSalam,\nPT Maju. {}", reports[0], adverts[0]));
    assert_eq!((found.category, found.unsure_because), (Category::Other, Some(Unsure::BesideAdvertising)));
    assert_eq!(found.priority, Priority::High, "what was told raises the priority all the same");
    for advert in [
        adverts[0],
        adverts[2],
        "Lindungi instansi Anda dari ransomware dan DDoS dengan platform kami. Harga mulai 9 juta per tahun, demo gratis. Balas surel ini untuk penawaran.",
        "Edisi terbaru majalah keamanan: ransomware menggila, APK undangan, hingga kebocoran data. Langganan sekarang diskon 30%.",
    ] {
        assert!(assessed("Penawaran", advert).is_clear_spam, "{advert}");
    }
}

#[test]
fn a_sentence_of_a_person_beside_advertising_opens_a_ticket() {
    let shop = "Diskon 70%! Promo terbatas, gratis ongkir. Pesan sekarang via WA 0800-111. Klik https://toko.example untuk order.";
    let offer = "We offer SEO services, guaranteed first page ranking, backlinks, discount 50%. Reply for a quote. Unsubscribe here.";
    let profit = "Double your bitcoin today! Guaranteed profit. Join now.";
    for advert in [shop, offer, profit] {
        assert!(assessed("Penawaran", advert).is_clear_spam, "{advert}");
        for told in [
            "gara2 pencet itu tabungan ibu kosong",
            "bohong semua ini, duitku lenyap",
            "ketipu nih",
            "pesanannya belum datang juga sampe skrg",
            "kakak saya sudah setor 90 juta, grupnya lalu bubar",
            "mertua terlanjur klik",
            "kok ini nongol di laman kecamatan kami",
            "this showed up on our school homepage last night",
            "my uncle sent them his savings",
            "they now have our password, what do we do",
            "tolong ditutup",
            "Ini beneran gak?",
            "akun toko saya yang hilang itu dipakai dia",
        ] {
            for text in
                [format!("{advert} {told}"), format!("{told}. {advert}"), format!("{advert}\n\n{told}"), format!("{told}\n{advert}")]
            {
                let found = assessed("Penawaran", &text);
                assert!(!found.is_clear_spam && found.category != Category::Spam, "{text}: {:?}", found.scores);
            }
        }
        for subject in ["mohon bantuannya", "Minta tolong", "tolong dilacak"] {
            assert!(!assessed(subject, advert).is_clear_spam, "{subject}: {advert}");
        }
    }
}

#[test]
fn a_question_about_the_advertisement_that_the_subject_names_opens_a_ticket() {
    for body in [
        "Selamat pagi, tolong diperiksa apakah promo tersebut benar dari bank kami, terima kasih.",
        "Rekan dari bagian umum menerima kabar promo semacam itu pagi ini lewat surat.",
    ] {
        let found = assessed("Promo diskon 50% daftar sekarang kuota terbatas", body);
        assert!(!found.is_clear_spam && found.category != Category::Spam, "{body}: {:?}", found.scores);
    }
}

#[test]
fn gambling_beside_the_address_of_a_public_site_is_never_clear_spam() {
    let slot = "SLOT GACOR HARI INI! Deposit 10rb bonus new member 100%. Daftar di https://gacor.example link alternatif maxwin.";
    assert!(assessed("slot", slot).is_clear_spam);
    for site in
        ["https://disdik.kabcontoh.go.test/slot-gacor", "https://sukamaju.desa.id/x", "smp1.sch.id", "http://fmipa.kampus.ac.id/jurnal/"]
    {
        for text in [format!("{site}\n\n{slot}"), format!("{slot} {site}")] {
            let found = assessed("slot", &text);
            let is_named = found.category == Category::WebDefacement || found.is_unsure;
            assert!(is_named && !found.is_clear_spam, "{text}: {:?}", found.scores);
        }
    }
    for imitation in ["https://kabcontoh-go-id.example/slot", "https://smp.sch.id.gacor.example/"] {
        assert!(assessed("slot", &format!("{slot} {imitation}")).is_clear_spam, "{imitation}");
    }
}

#[test]
fn who_tells_of_several_incidents_in_few_words_is_no_advertising_and_who_sells_against_them_is() {
    let adverts = [
        "Kami menawarkan layanan perlindungan dari ransomware, phishing, DDoS dan kebocoran data. Diskon 50%, hubungi sales kami untuk brosur, pesan sekarang, promo terbatas.",
        "We protect your business from ransomware, phishing and DDoS. Book a free trial, limited slots, our packages start at $10. Would you be interested?",
    ];
    for report in [
        "server kena ransomware dan akun ig admin diambil orang",
        "hacked + leaked. all our customer records are on a forum and admin panel password was changed.",
        "our site is down since a ddos and the database was stolen",
        "email kantor dibajak lalu dipakai kirim phishing ke nasabah",
        "kena tipu kurir apk, saldo habis, wa juga diambil alih",
        "Since Monday our files have strange endings and we cannot open anything.",
        "wa saya dipakai orang minta uang ke teman",
    ] {
        for advert in adverts {
            // A word that stands in the subject too is cut out of the text all the same.
            for (subject, text) in
                [("Promo diskon 50%", format!("{report}\n{advert}")), ("mohon bantuan", format!("Mereka menulis \"{advert}\" {report}"))]
            {
                let found = assessed(subject, &text);
                assert!(found.category != Category::Spam && !found.is_clear_spam, "{text}: {:?}", found.scores);
            }
        }
    }
    for (subject, text) in [
        ("Penawaran", adverts[0]),
        ("Offer", adverts[1]),
        (
            "Pelatihan",
            "Pelatihan 2 hari: menangani ransomware, phishing, DDoS, deface, dan kebocoran data. Biaya Rp 3.500.000, early bird diskon 20%, daftar sekarang, kuota terbatas. Server Anda diretas? Data Anda bocor? Kami ahlinya.",
        ),
        (
            "Free audit",
            "Did you know that 60% of companies hit by ransomware close within a year? Websites are defaced, customer data are leaked, accounts are taken over. Free audit, limited slots, our packages start at $99. Book a free trial.",
        ),
        (
            "Backup",
            "If ransomware hits your server tonight, can you restore? Our platform makes immutable copies. Phishing, malware and insider attacks included. Would you be interested in a quick call? Price list attached. Order now.",
        ),
    ] {
        assert!(assessed(subject, text).is_clear_spam, "{text}");
    }
}

#[test]
fn advertising_passed_on_with_a_word_of_ones_own_opens_a_ticket() {
    static RULES: std::sync::LazyLock<RuleSet> = std::sync::LazyLock::new(|| RuleSet::embedded().unwrap());
    let loan = "Dari: Dana Cepat <promo@danacepat.example>\nSubject: Pinjaman tanpa agunan, promo bunga 0%\n\nPinjaman tanpa agunan cair 5 menit, bunga 0%! Promo terbatas, diskon biaya admin. Unduh https://danacepat.example/app.apk, ajukan sekarang.";
    let slot = "Subject: Slot gacor bonus new member, depo 10rb\n\nSelamat bosku! Slot gacor bonus new member 100% depo 10rb langsung WD, daftar sekarang maxwin dijamin";
    let parts = |subject: &str, text: &str, quoted: &str| Parts {
        subject: subject.to_owned(),
        text: text.to_owned(),
        quoted: quoted.to_owned(),
        ..Default::default()
    };
    for advert in [loan, slot] {
        let theirs = advert.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap();
        let forward = format!("Fwd: {theirs}");
        for (subject, text) in [
            (forward.as_str(), "Saya korban, tolong."),
            (&forward, "Apakah ini penipuan?"),
            (&forward, "Apakah promo ini penipuan?"),
            (&forward, "Mohon ditindaklanjuti."),
            (&forward, "Tolong"),
            ("", "Ini dikirim dari email kantor kami."),
            ("Website kami jadi begini", ""),
            ("Fwd: Ibu saya kena ini", "https://bukti.example/layar.png"),
        ] {
            let found = judged(&RULES, &parts(subject, text, advert));
            let is_filed = found.category != Category::Spam && !found.is_clear_spam;
            assert!(is_filed, "{subject} {text}: {:?}", found.scores);
        }
        // Enclosed as a mail is passed on too; a brochure that a seller encloses is not.
        let enclosed = |name: &str| {
            let mut enclosed = parts("Fwd", "Saya korban, tolong.", "");
            enclosed.attachments = vec![toml::from_str(&format!("name = '{name}'\ntext = '\''{advert}'\''")).unwrap()];
            judged(&RULES, &enclosed).category
        };
        assert_ne!(enclosed("asli.eml"), Category::Spam, "{advert}");
        // Nobody's own word stands there, or the word advertises as well.
        for (subject, text) in [(forward.as_str(), ""), (&format!("Fwd: Re: {}", theirs.to_uppercase()), ""), ("", "")] {
            let found = judged(&RULES, &parts(subject, text, advert));
            assert_eq!(found.category, Category::Spam, "{subject} {text}: {:?}", found.scores);
        }
        let text = "Kami menawarkan paket promo dengan diskon 30%, hubungi sales kami.";
        let found = judged(&RULES, &parts(&forward, text, advert));
        assert!(found.is_clear_spam, "{:?}", found.scores);
    }
}

#[test]
fn weak_words_alone_never_close_a_mail_as_spam() {
    let decision = "[decision]\nthreshold = 0.1\nmargin = 0.05\nclear_spam_score = 6.0\nclear_spam_margin = 4.0\nlikeness = 0.0\nlikeness_alone = 0.0\nshort_text_words = 40\n";
    let rule = |keys: &str| {
        let rule = format!(
            "[[rule]]\nid = 'x'\ncategory = 'spam'\n{keys}\nreason_id = 'x'\nreason_en = 'x'\nwhen = {{ any = ['promo', 'diskon'] }}\n"
        );
        judged(&set(&format!("{decision}{rule}")).unwrap(), &Parts { text: "Promo, diskon.".to_owned(), ..Default::default() })
    };
    let weak = rule("weight = 4.0\nmost = 9.0");
    assert_eq!((weak.category, weak.is_unsure, weak.is_clear_spam), (Category::Spam, false, false), "{:?}", weak.scores);
    let strong = rule("weight = 8.0");
    assert_eq!((strong.category, strong.is_clear_spam), (Category::Spam, true), "{:?}", strong.scores);
}

#[test]
fn what_only_sounds_like_an_incident_is_left_to_a_person() {
    for text in [
        "Kami periksa, semuanya aman. Tidak ada apa-apa.",
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.",
        "Payung biru saya tertinggal di bus tadi siang.",
        "Tidak ada phishing, tidak ada malware, tidak ada ransomware, tidak ada kebocoran data, tidak ada DDoS.",
    ] {
        let found = assessed("", text);
        assert_eq!((found.category, found.is_unsure), (Category::Other, true), "{text}: {:?} {:?}", found.scores, found.fired);
    }
    // Known mail of things lost on the way sounds like this: no incident, and nobody has to decide.
    let lost = assessed("", "Dompet saya hilang di kereta kemarin sore.");
    assert_eq!((lost.category, lost.is_unsure, lost.priority), (Category::Other, false, Priority::Low), "{:?}", lost.scores);
}

#[test]
fn what_an_answer_quotes_does_not_raise_the_priority_and_what_a_forward_holds_does() {
    static RULES: std::sync::LazyLock<RuleSet> = std::sync::LazyLock::new(|| RuleSet::embedded().unwrap());
    let asked = "Apakah ada ransomware, atau rumah sakit lumpuh, atau objek vital yang terganggu";
    let judge = |subject: &str, text: &str, quoted: &str| {
        judged(&RULES, &Parts { subject: subject.to_owned(), text: text.to_owned(), quoted: quoted.to_owned(), ..Default::default() })
    };
    let told = "Password email saya diganti orang, akun saya dibajak.";
    assert_eq!(judge("Re: pertanyaan", told, asked).priority, Priority::Medium);
    assert_eq!(judge("Re: pertanyaan", "Tidak ada.", asked).priority, judge("Re: pertanyaan", "Tidak ada.", "").priority);
    assert_eq!(judge("Re: pertanyaan", "Server kami kena ransomware, semua berkas terkunci.", asked).priority, Priority::High);
    let forwarded = "SIMRS rumah sakit kami lumpuh karena ransomware, semua berkas terenkripsi, pelayanan manual.";
    assert_eq!(judge("Fwd: laporan", "Mohon ditindaklanjuti.", forwarded).priority, Priority::Critical);
    assert_eq!(judge("Laporan", "Tidak ada ransomware. Akun email saya dibajak orang.", "").priority, Priority::Medium);
    let raised = judge("", "Server kami kena ransomware, semua berkas terkunci.", "");
    let raising: Vec<_> = raised.fired.iter().filter(|fired| fired.raises == Some(Priority::High)).collect();
    assert!(!raising.is_empty(), "{:?}", raised.fired);
    assert!(judge("", told, "").fired.iter().all(|fired| fired.raises.is_none()));
}

#[test]
fn words_in_attachments_are_shown_with_the_files_name_and_its_own_line_and_no_terminal_obeys_them() {
    use bantuan70::model::Language::{En, Id};
    use bantuan70::rules::syntax::SampleAttachment;
    let enclosed = |name: &str, text: &str| SampleAttachment { name: name.to_owned(), text: text.to_owned(), ..Default::default() };
    let attachments = vec![
        enclosed("lampiran satu.txt", "Halaman kosong\n\nbaris lain\n"),
        enclosed("kronologi.txt", "Kronologi\nSemua berkas server \u{2066}terkunci\u{2069} ransomware\n"),
    ];
    let mail = selftest::mail(&Parts { text: "Terlampir.".to_owned(), attachments, ..Default::default() });
    let explanation = explain::explain(&RuleSet::embedded().unwrap(), &mail, &tell(&mail, &house(&Config::defaults())));
    let templates = Templates::load(None).unwrap();
    let text = explanation.text(Id, &templates);
    assert!(text.contains("lampiran kronologi.txt baris 2: "), "{text}");
    assert!(explanation.text(En, &templates).contains("attachment kronologi.txt, line 2: "), "{text}");
    assert!(!text.contains(['\u{2066}', '\u{2069}']), "{text:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\u{1b}[31m\u{202e}.eml");
    std::fs::write(&path, "From: a@b.example\r\n\r\nhalo\r\n").unwrap();
    let (_, out, _) = run(&["rules", "explain", path.to_str().unwrap()]);
    assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out:?}");
}

/// A data directory whose one report was filed as phishing and corrected by an analyst to malware.
fn corrected_center() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bantuan70.toml");
    let data = folder.path().join("data");
    std::fs::write(
        &config,
        format!(
            "[center]\nname = \"Pusat\"\naddress = \"bantuan70@bssn.test\"\nticket_prefix = \"BANTUAN70\"\ndata_dir = \"{}\"\n[intake]\nauthserv_id = \"mx.bssn.test\"\n",
            data.display()
        ),
    )
    .unwrap();
    let store = Store::open(&data.join("bantuan70.db")).unwrap();
    let now = time("2026-11-24T06:00:00Z");
    let raw = "From: Budi <budi@dinas.go.test>\r\nTo: bantuan70@bssn.test\r\nSubject: lapor \"berkas\"\r\nPrecedence: normal\r\n\
        List-Unsubscribe: <https://dinas.go.test/u>\r\n\
        Authentication-Results: mx.bssn.test; dmarc=fail\r\nContent-Type: text/html\r\n\r\n\
        <a href='https://bpjs-go.example/a'>lihat</a> Semua berkas server terkunci dan diminta tebusan.\r\n\u{1b}[2J\r\n";
    let id = store.insert_mail(&[arrival(1, raw)], now).unwrap()[0];
    store
        .decide(id, &Question::default(), &place(), now, |world| {
            let mut decision = opens(world, now);
            let event = TicketEvent::CategorySet { to: Category::Malware };
            decision.effects.push(Effect::Event {
                ticket: world.next_ticket.clone(),
                by: "ani@bssn.test".into(),
                event,
                detail: String::new(),
            });
            decision
        })
        .unwrap();
    let config = config.display().to_string();
    (folder, config)
}

#[test]
fn replay_shows_what_would_be_filed_otherwise_and_measures_by_the_analysts_corrections() {
    let (_folder, config) = corrected_center();
    let (code, out, err) = run(&["--config", &config, "rules", "replay"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("phishing") && out.contains("malware") && out.contains("1 reports, 1 of them"), "{out}");
    let measured = "analysts corrected 1 of them, and these alone are measured; nobody said whether the others are right:\n  \
        of 1 that these rules have not seen, 0 were filed right (0 %), now 1 (100 %)\n";
    assert!(out.ends_with(measured), "{out}");
    let (_, out, _) = run(&["--config", &config, "rules", "replay", "--json"]);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["filed"], &lines[0]["now"], &lines[0]["corrected"]), (&"phishing".into(), &"malware".into(), &"malware".into()));
    assert_eq!(lines[0]["rules_version"], "0123456789abcdef");
    assert_eq!((&lines[1]["unseen"]["right_now"], &lines[1]["examples"]["corrected"]), (&1.into(), &0.into()));
    assert_eq!(run(&["--config", &config, "rules", "replay", "--since", "2026-12-01"]).0, 1, "no report is as young as that");
}

#[test]
fn corrections_are_exported_as_tests_that_rule_files_take() {
    let (folder, config) = corrected_center();
    let (code, out, err) = run(&["--config", &config, "rules", "export-corrections"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("# Koreksi") && out.contains("PERHATIAN") && out.contains("personal data"), "{out}");
    assert!(!out.contains('\u{1b}'), "a terminal must not obey a reporter");
    let dir = folder.path().join("rules");
    std::fs::create_dir(&dir).unwrap();
    for (name, text) in RuleSet::embedded_files() {
        std::fs::write(dir.join(name), text).unwrap();
    }
    std::fs::write(dir.join("koreksi.toml"), &out).unwrap();
    let set = RuleSet::load(&dir).unwrap();
    let test = selftest::whole_tests(&set).find(|test| test.name.as_ref().is_some_and(|name| name.contains("ani@bssn.test"))).unwrap();
    assert_eq!((test.category.as_str(), test.subject.as_str()), ("malware", "lapor \"berkas\""));
    assert!(test.text.contains("diminta tebusan"), "{}", test.text);
    assert_eq!((test.from.as_str(), test.dmarc.as_deref()), ("Budi <budi@dinas.go.test>", Some("fail")));
    assert_eq!(test.links, ["https://bpjs-go.example/a"]);
    assert_eq!(test.headers.keys().collect::<Vec<_>>(), ["List-Unsubscribe", "Precedence"]);
    assert_eq!(test.report.as_deref(), Some("BANTUAN70-2026-000001"));
    assert!(!out.contains("CAUTION: a test"), "{out}");

    // From now on the rules know that report, and what they make of it says nothing of new mail.
    let dir = dir.to_str().unwrap();
    let apart = "  none that these rules have not seen: how they file new mail is not measured here\n  \
        of 1 that stand in them as examples or tests and that they have learned from, 0 were filed right (0 %), now 1 (100 %)\n";
    let (_, told, err) = run(&["--config", &config, "rules", "replay", "--rules", dir]);
    assert!(told.ends_with(apart) && told.contains("malware (example)"), "{told}{err}");
    // By its words alone too, with a name taken out and no ticket named.
    let masked = out.replace("report = \"BANTUAN70-2026-000001\"\n", "").replace("berkas", "XXX");
    assert_ne!(masked, out);
    std::fs::write(folder.path().join("rules/koreksi.toml"), masked).unwrap();
    let (_, told, err) = run(&["--config", &config, "rules", "replay", "--rules", dir]);
    assert!(told.ends_with(apart), "{told}{err}");
}

#[test]
fn a_decision_keeps_the_version_of_the_rules_it_was_made_with() {
    let (_folder, config) = corrected_center();
    let (_, out, _) = run(&["--config", &config, "mail", "show", "1"]);
    assert!(out.contains("rules") && out.contains("0123456789abcdef"), "{out}");
}

#[test]
fn likeness_hears_which_words_follow_one_another() {
    let mut text = "[decision]\nthreshold = 0.1\nmargin = 0.05\nclear_spam_score = 6.0\nclear_spam_margin = 4.0\nlikeness = 0.25\nlikeness_alone = 0.0\nshort_text_words = 40\n".to_owned();
    for _ in 0..60 {
        for (category, told) in [("malware", "kunci rumah lalu hilang"), ("phishing", "rumah kunci lalu hilang")] {
            text.push_str(&format!("[[test]]\ncategory = \"{category}\"\ntext = \"{told}\"\n"));
        }
    }
    let rules = set(&text).unwrap();
    for (told, category) in [("kunci rumah hilang tadi", Category::Malware), ("rumah kunci hilang tadi", Category::Phishing)] {
        let found = judged(&rules, &Parts { text: told.to_owned(), ..Default::default() });
        assert_eq!((found.category, found.is_unsure), (category, false), "{told}: {:?}", found.scores);
    }
}

#[test]
fn likeness_takes_a_denied_word_for_another_one() {
    let mut text = "[decision]\nthreshold = 0.1\nmargin = 0.05\nclear_spam_score = 6.0\nclear_spam_margin = 4.0\nlikeness = 0.25\nlikeness_alone = 0.0\nshort_text_words = 40\n[negation]\nbefore = [\"tidak\"]\n".to_owned();
    for _ in 0..60 {
        for (category, told) in [
            ("malware", "berkas kami kunci orang, layanan tidak gaduh"),
            ("data_misuse", "rumah saya tidak pinjam uang, layanan gaduh"),
            ("other", "tanya jadwal layanan, tidak kunci"),
        ] {
            text.push_str(&format!("[[test]]\ncategory = \"{category}\"\ntext = \"{told}\"\n"));
        }
    }
    let rules = set(&text).unwrap();
    let judged = |told: &str| judged(&rules, &Parts { text: told.to_owned(), ..Default::default() });
    let adds = |told: &str, rule: &str| judged(told).fired.iter().find(|fired| &*fired.rule == rule).map_or(0.0, |fired| fired.adds);
    // The word says nothing for the kind whose examples hold it undenied …
    assert!(adds("layanan layanan gaduh kunci", "likeness-malware") > adds("layanan layanan gaduh tidak kunci", "likeness-malware") + 0.3);
    // … and all for the one whose examples deny it.
    assert!(adds("layanan gaduh, saya tidak pinjam", "likeness-data-misuse") > adds("layanan gaduh, saya pinjam", "likeness-data-misuse"));
}

#[test]
fn letters_that_only_look_latin_are_read_as_they_look_and_shown_as_they_stand() {
    // Cyrillic letters, full width, a zero-width space.
    let typed = "f\u{456}le k\u{430}mi t\u{435}r\u{200b}\u{435}nkripsi s\u{435}mu\u{430}, \u{ff44}iminta tebus\u{430}n";
    let found = judged(&RuleSet::embedded().unwrap(), &Parts { text: typed.to_owned(), ..Default::default() });
    assert_eq!((found.category, found.is_unsure), (Category::Malware, false), "{:?}", found.scores);
    let saw: Vec<&String> = found.fired.iter().flat_map(|fired| &fired.saw).collect();
    assert!(saw.iter().any(|saw| saw.contains("tebus\u{430}n")), "{saw:?}");
}
