//! What analysts get wrong in rule files, and what they are told: file, line, rule, key, reason, remedy.

use super::{RuleSet, Source, house, run, selftest};
use bantuan70::config::Config;

/// A rule in order; each case below breaks one thing of it. Its lines: 1 `[[rule]]`, 2 `id`, 3 `category`, 4 `weight`,
/// 5 and 6 the reasons, 7 `when`, 8 `examples`.
const RULE: &str = r#"[[rule]]
id = "x"
category = "malware"
weight = 2.5
reason_id = "Ada virus."
reason_en = "There is a virus."
when = { any = ["virus"] }
examples = ["hp kena virus"]
"#;

/// What may stand somewhere, told in full each time.
const LISTS: &[(&str, &str)] = &[
    ("{file}", "`decision`, `places`, `negation`, `spelling`, `lists`, `rule`, `test`"),
    (
        "{rule}",
        "`id`, `category`, `weight`, `most`, `others`, `group`, `reason_id`, `reason_en`, `rsit`, `priority`, `tags`, `when`, `examples`, \
         `counterexamples`",
    ),
    (
        "{when}",
        "`any`, `at_least`, `all`, `none`, `near`, `in`, `regex`, `any_of`, `all_of`, `none_of`, `sender`, `attachment_name`, \
         `attachment_type`, `indicators`, `lookalike`, `go_id`, `language`, `dmarc`, `format`, `kind`, `words_min`, `words_max`",
    ),
    ("{categories}", "web_defacement, phishing, malware, data_misuse, ddos, illegal_access, vulnerability, other, spam"),
    (
        "{rsit}",
        "abusive-content:spam, abusive-content:harmful-speech, abusive-content:violence, malicious-code:infected-system, \
         malicious-code:c2-server, malicious-code:malware-distribution, malicious-code:malware-configuration, \
         information-gathering:scanner, information-gathering:sniffing, information-gathering:social-engineering, \
         intrusion-attempts:exploit, intrusion-attempts:brute-force, intrusion-attempts:ids-alert, \
         intrusions:privileged-account-compromise, intrusions:unprivileged-account-compromise, intrusions:application-compromise, \
         intrusions:system-compromise, intrusions:burglary, availability:dos, availability:ddos, availability:misconfiguration, \
         availability:sabotage, availability:outage, information-content-security:unauthorised-information-access, \
         information-content-security:unauthorised-information-modification, information-content-security:data-loss, \
         information-content-security:data-leak, fraud:unauthorised-use-of-resources, fraud:copyright, fraud:masquerade, \
         fraud:phishing, vulnerable:weak-crypto, vulnerable:ddos-amplifier, vulnerable:potentially-unwanted-accessible, \
         vulnerable:information-disclosure, vulnerable:vulnerable-system, other:other, other:undetermined, test:test",
    ),
];

fn load(files: &[(&str, &str)]) -> Result<RuleSet, String> {
    let sources = files.iter().map(|(name, text)| Source { name: format!("rules/{name}"), text: (*text).to_owned() });
    RuleSet::from_sources(sources.collect()).map_err(|error| error.to_string())
}

/// What is said of the rule with one thing replaced.
fn said(from: &str, to: &str) -> String {
    assert!(RULE.contains(from), "{from}");
    match load(&[("x.toml", &RULE.replacen(from, to, 1))]) {
        Ok(_) => "passes".to_owned(),
        Err(error) => error,
    }
}

#[test]
fn the_rule_that_the_mistakes_are_made_in_is_in_order() {
    let rules = load(&[("x.toml", RULE)]).unwrap();
    let report = selftest::run(&rules, &house(&Config::defaults()));
    assert!(report.is_passed() && report.untested.is_empty(), "{report:?}");
}

#[test]
fn each_mistake_is_told_with_its_line_its_rule_its_key_and_the_remedy() {
    for (from, to, wanted) in [
        (
            "weight = 2.5\n",
            "",
            "2: rule 'x': weight: is missing; write weight = 2.5 (4: nearly certain alone, 2 to 3: strong, 1: a hint), or weight = 0 for a rule that adds nothing",
        ),
        ("weight = 2.5\n", "weight = 0\n", "2: rule 'x': does nothing: it has neither a weight nor priority, rsit, tags or others"),
        ("weight = 2.5", "weight = 2,5", "4: rule 'x': weight: a comma parts values here; write the number with a decimal point: 2.5"),
        (
            "weight = 2.5",
            r#"weight = "2.5""#,
            "4: rule 'x': weight: is a number: write it without quotes and with a decimal point, as weight = 2.5",
        ),
        (
            "weight = 2.5",
            "weight = 25",
            "4: rule 'x': weight: 25 is no number from -10 to 10; 4 is nearly certain alone, 2 to 3 is strong, 1 a hint",
        ),
        (
            "weight = 2.5",
            "weight = -10.5",
            "4: rule 'x': weight: -10.5 is no number from -10 to 10; 4 is nearly certain alone, 2 to 3 is strong, 1 a hint",
        ),
        ("weight = 2.5", "wieght = 2.5", "4: rule 'x': wieght: there is no such key (did you mean `weight`?); the keys here are {rule}"),
        ("weight = 2.5", "weight = 2.5\nmost = 1", "5: rule 'x': most: a number of at least the weight, which must be above nought"),
        ("weight = 2.5", "weight = 2.5\nothers = 3", "5: rule 'x': others: a number from 0 to 1, in a rule with a category"),
        (
            "category = \"malware\"\n",
            "",
            "3: rule 'x': weight: without a category there is no score to add to; name a category, or take the weight out",
        ),
        (
            "category = \"malware\"\nweight = 2.5\n",
            "",
            "2: rule 'x': does nothing: it has neither a weight nor priority, rsit, tags or others",
        ),
        (
            r#"category = "malware""#,
            r#"category = "malwer""#,
            "3: rule 'x': category: 'malwer' is not known (did you mean 'malware'?); write one of {categories}",
        ),
        (
            "weight = 2.5",
            "weight = 2.5\nrsit = \"intrusions:system-compromised\"",
            "5: rule 'x': rsit: 'intrusions:system-compromised' is not a class:type of RSIT 1003 (did you mean 'intrusions:system-compromise'?); write one of intrusions:privileged-account-compromise, intrusions:unprivileged-account-compromise, intrusions:application-compromise, intrusions:system-compromise, intrusions:burglary",
        ),
        (
            "weight = 2.5",
            "weight = 2.5\nrsit = \"phishing\"",
            "5: rule 'x': rsit: 'phishing' is not a class:type of RSIT 1003; write one of {rsit}",
        ),
        (
            "weight = 2.5",
            "weight = 2.5\npriority = \"hihg\"",
            "5: rule 'x': priority: 'hihg' is not known (did you mean 'high'?); write one of low, medium, high, critical",
        ),
        (
            "weight = 2.5",
            "weight = 2.5\nany = [\"virus\"]",
            "5: rule 'x': any: there is no such key; it is a condition: write it into when = { … }; the keys here are {rule}",
        ),
        (
            "weight = 2.5",
            "weight = 2.5\nweight = 3",
            "5: rule 'x': weight stands twice, first in line 4; keep one, and begin a further rule with [[rule]]",
        ),
        (
            "reason_en = \"There is a virus.\"\n",
            "",
            r#"1: rule 'x': reason_en: is missing; write reason_en = "A false courier sends an APK.""#,
        ),
        ("id = \"x\"\n", "", r#"1: rule: id: is missing; write id = "malware-courier""#),
        (
            r#"id = "x""#,
            r#"id = "Virus APK""#,
            r#"2: rule 'Virus APK': id: up to 64 small letters, digits and hyphens; write it as "malware-courier""#,
        ),
        (r#""Ada virus.""#, r#"" ""#, "5: rule 'x': reason_id: is empty; write a sentence that a colleague would accept"),
        ("[[rule]]", "[rule]", "1: rule: there may be many of these: write [[rule]], with two brackets on each side"),
        ("[[rule]]", "[[rule]", "1: a rule begins with [[rule]], two brackets on each side; a table such as [lists] has one"),
        ("[[rule]]", "[[rules]]", "1: rules: there is no such key (did you mean `rule`?); the keys here are {file}"),
        ("[[rule]]\n", "", "2: category: there is no such key; it is a rule's: a rule begins with [[rule]]; the keys here are {file}"),
        (
            r#"reason_en = "There is a virus.""#,
            "reason_en = “There is a virus.”",
            r#"6: rule 'x': reason_en: curly quotes are no quotes here; write straight ones: "…""#,
        ),
        (
            r#"reason_en = "There is a virus.""#,
            r#"reason_en = "There is a virus.”"#,
            r#"6: rule 'x': reason_en: curly quotes are no quotes here; write straight ones: "…""#,
        ),
        (
            r#"reason_en = "There is a virus.""#,
            "reason_en = There is a virus.",
            r#"6: rule 'x': reason_en: a text stands in straight quotes: "…""#,
        ),
        (
            r#"reason_en = "There is a virus.""#,
            r#"reason_en = "There is a virus."#,
            r#"6: rule 'x': reason_en: the quotes are not closed on this line; a text begins and ends with ", and one with " inside stands in '…'"#,
        ),
        (
            r#"reason_en = "There is a virus.""#,
            r#"reason_en = "There is a "virus".""#,
            r#"6: rule 'x': reason_en: nothing may follow the value on its line; a text with " inside stands in '…'"#,
        ),
        (
            r#"reason_en = "There is a virus.""#,
            r#"reason_en: "There is a virus.""#,
            r#"6: rule 'x': reason_en: there is no `=`; write key = value, as id = "malware-courier""#,
        ),
        (r#"{ any = ["virus"] }"#, r#"{ any = "virus" }"#, r#"7: rule 'x': when.any: is a list: write any = ["virus"]"#),
        (
            r#"{ any = ["virus"] }"#,
            "{ any = [“virus”] }",
            r#"7: rule 'x': when: curly quotes are no quotes here; write straight ones: "…""#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["virus" "worm"] }"#,
            "7: rule 'x': when: write a comma between the values, or close what begins above it: a list with ], a table with }",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["virus", "worm" }"#,
            "7: rule 'x': when: write a comma between the values, or close what begins above it: a list with ], a table with }",
        ),
        (r#"{ any = ["virus"] }"#, "{ any = [] }", "7: rule 'x': when.any: is an empty list; name at least one, or take the key out"),
        (r#"{ any = ["virus"] }"#, r#"{ any = [""] }"#, "7: rule 'x': when.any: '' holds no word; write one, or take it out"),
        (r#"{ any = ["virus"] }"#, r#"{ any = ["virus", 3] }"#, r#"7: rule 'x': when.any: is a text: write it in quotes, "3""#),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ anny = ["virus"] }"#,
            "7: rule 'x': when.anny: there is no such key (did you mean `any`?); the keys here are {when}",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["virus"], reason = "x" }"#,
            "7: rule 'x': when.reason: there is no such key; the keys here are {when}",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["virus"], weight = 2 }"#,
            "7: rule 'x': when.weight: there is no such key; it is the rule's: write it outside of the braces of when, and above [rule.when]; the keys here are {when}",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any_of = [{ al = ["virus"] }] }"#,
            "7: rule 'x': when.any_of.al: there is no such key (did you mean `all`?); the keys here are {when}",
        ),
        (r#"{ any = ["virus"] }"#, "{ }", r#"7: rule 'x': when: names no condition; write one, as any = ["virus", "trojan*"]"#),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["virus", "worm"], at_least = 3 }"#,
            "7: rule 'x': when.at_least: 3 is wanted, and `any` has 2 different words; write a number from 1 to that",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["virus"], at_least = 0 }"#,
            "7: rule 'x': when.at_least: 0 is wanted, and `any` has 1 different words; write a number from 1 to that",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ all = ["virus"], at_least = 2 }"#,
            "7: rule 'x': when.at_least: counts the words of `any`, and there is none",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["*virus"] }"#,
            "7: rule 'x': when.any: '*virus': '*' stands at the end of a word alone, '=' before it; parts inside of a word are no words",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["virus (apk|exe)"] }"#,
            r#"7: rule 'x': when.any: 'virus (apk': '(' says nothing in a word; write alternatives as "a b|a c", or use regex"#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["@virs"] }"#,
            "7: rule 'x': when.any: there is no list '@virs'; no file of the set has [lists]",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ any = ["@virus apk"] }"#,
            r#"7: rule 'x': when.any: '@virus apk': a list stands by itself; write near = [{ words = ["@list", "word"] }]"#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ regex = '' }",
            "7: rule 'x': when.regex: '' fits every text, an empty one too; write what must stand there",
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ regex = '[0-9]*' }",
            "7: rule 'x': when.regex: '[0-9]*' fits every text, an empty one too; write what must stand there",
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ regex = '(' }",
            r"7: rule 'x': when.regex: unclosed group; close the bracket with ), or write \( where the sign itself is meant",
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ regex = 'apk)' }",
            r"7: rule 'x': when.regex: unopened group; open the bracket with (, or write \) where the sign itself is meant",
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ regex = '(?:x{1000}){1000}' }",
            "7: rule 'x': when.regex: is too large once its repetitions are written out; make it smaller: fewer or smaller numbers in {…}",
        ),
        (
            r#"examples = ["hp kena virus"]"#,
            "examples = [\n\"hp kena virus\",\n",
            "8: rule 'x': examples: the list is not closed; end it with ]",
        ),
        (
            "[[rule]]\n",
            "[rule]\nid = \"w\"\n\n[[rule]] # yang kedua\n",
            "1: rule: there may be many of these: write [[rule]], with two brackets on each side",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ regex = "\d+" }"#,
            r#"7: rule 'x': when: \ begins an escape in "…"; write the text in '…', where \ is itself"#,
        ),
        (r#"{ any = ["virus"] }"#, r#"{ near = { words = ["a1", "b1"] } }"#, "7: rule 'x': when.near: is a list: write near = [{ … }]"),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ near = [{ words = ["virus"] }] }"#,
            "7: rule 'x': when.near: has 1 word; write two to five of them",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ near = [{ words = ["virus", "apk", "wa"], within = 1 }] }"#,
            "7: rule 'x': when.near: within = 1: 3 words stand 2 to 100 words apart; write such a number",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ near = [{ words = ["virus", "apk"], within = 2,5 }] }"#,
            "7: rule 'x': when: a comma parts values here; write the number with a decimal point: 2.5",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ near = [{ words = ["virus", "apk"], withn = 2 }] }"#,
            "7: rule 'x': when.near.withn: there is no such key (did you mean `within`?); the keys here are `words`, `within`, `ordered`",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ in = ["subjek"], any = ["virus"] }"#,
            "7: rule 'x': when.in: 'subjek' is not known (did you mean 'subject'?); write one of subject, new, quoted, attachment, attachment_name, link, sender_name",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ sender = ["noreply"] }"#,
            r#"7: rule 'x': when.sender: 'noreply' is no address and no domain; write "*noreply*" for addresses that hold it"#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ sender = ["noreply@"] }"#,
            r#"7: rule 'x': when.sender: 'noreply@' has no domain; write "noreply@*" for any"#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ sender = [""] }"#,
            r#"7: rule 'x': when.sender: '' is no address; write "ani@bank.example", a domain "bank.example", or "*noreply*""#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ attachment_name = ["apk"] }"#,
            r#"7: rule 'x': when.attachment_name: 'apk' is a whole name, without an ending; write "*.apk" for files that end so, or "*apk*" for names that hold it"#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ attachment_name = [".apk"] }"#,
            r#"7: rule 'x': when.attachment_name: '.apk' is a whole name, without an ending; write "*.apk" for files that end so, or "*apk*" for names that hold it"#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ attachment_type = ["zip"] }"#,
            r#"7: rule 'x': when.attachment_type: 'zip' is no media type; write it as "application/zip", or "image/*" for all of a kind"#,
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ indicators = { url = 1 } }",
            "7: rule 'x': when.indicators: 'url' is not known (did you mean 'urls'?); write one of urls, domains, ips, hashes, emails, cves",
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ indicators = { urls = 0 } }",
            "7: rule 'x': when.indicators.urls: 0 holds for every mail; write 1 or more, and none_of = [{ indicators = { … = 1 } }] for a mail without any",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ kind = ["replay"] }"#,
            "7: rule 'x': when.kind: 'replay' is not known (did you mean 'reply'?); write one of automatic, report, reply, analyst, auto_reply, bounce, list, own, unreadable",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ dmarc = ["failed"] }"#,
            "7: rule 'x': when.dmarc: 'failed' is not known (did you mean 'fail'?); write one of pass, fail, none",
        ),
        (
            r#"{ any = ["virus"] }"#,
            r#"{ lookalike = "ya" }"#,
            "7: rule 'x': when.lookalike: write lookalike = true or lookalike = false, without quotes",
        ),
        (
            r#"{ any = ["virus"] }"#,
            "{ words_min = 9, words_max = 3 }",
            "7: rule 'x': when.words_max: 3 is less than words_min, 9; no text is so long",
        ),
        (r#"{ any = ["virus"] }"#, r#""virus""#, r#"7: rule 'x': when: is a group of keys: write when = { any = ["virus", "trojan*"] }"#),
        (r#"["hp kena virus"]"#, r#""hp kena virus""#, r#"8: rule 'x': examples: is a list: write examples = ["hp kena virus"]"#),
        (
            r#"["hp kena virus"]"#,
            r#"["a", { txt = "hp kena virus" }]"#,
            "8: rule 'x': examples.txt: there is no such key (did you mean `text`?); the keys here are `subject`, `text`, `quoted`, `from`, `headers`, `attachments`, `dmarc`, `links`",
        ),
        (
            r#"["hp kena virus"]"#,
            r#"["a", { text = "virus", dmarc = "fial" }]"#,
            "8: rule 'x': examples: dmarc: 'fial' is not known (did you mean 'fail'?); write one of pass, fail, none",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[list]\nvirus = [\"virus\"]\n",
            "9: list: there is no such key (did you mean `lists`?); the keys here are {file}",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[[lists]]\nvirus = [\"virus\"]\n",
            "9: lists: there is one in a file: write [lists], with one bracket on each side",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[lists]\nvirus = \"virus\"\n",
            r#"10: lists.virus: is a list: write virus = ["virus"]"#,
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[lists]\nvirus = [\"virus\"]\n[lists]\nworm = [\"worm\"]\n",
            "11: lists stands twice, first in line 9; put all of it under one",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[lists]\nvirus = []\n",
            "10: lists.virus: is an empty list; name at least one word",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[lists]\nvirus = [\"@worm\"]\nworm = [\"@virus\"]\n",
            "10: lists.virus: lists stand in lists more than 4 deep, or in a circle",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[lists]\nvirus = [\"@worm\"]\nworm = [\"*worm\"]\n",
            "11: lists.worm: '*worm': '*' stands at the end of a word alone, '=' before it; parts inside of a word are no words",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[spelling]\ntidak = [\"gak\"]\nbukan = [\"gak\"]\n",
            "10: spelling.tidak: 'gak' is already another spelling of 'bukan' (rules/x.toml:11); keep one of them",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[[test]]\ntext = \"virus\"\n",
            r#"9: test: category: is missing; write category = "malware""#,
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[[test]]\nname = \"satu\"\ncategory = \"malwar\"\ntext = \"virus\"\n",
            "9: test 'satu': category: 'malwar' is not known (did you mean 'malware'?); write one of {categories}",
        ),
        (
            "[\"hp kena virus\"]\n",
            "[\"hp kena virus\"]\n[decision]\nthreshold = 0,8\n",
            "10: threshold: a comma parts values here; write the number with a decimal point: 0.8",
        ),
    ] {
        let told = said(from, to);
        let wanted = LISTS.iter().fold(format!("rules/x.toml:{wanted}"), |wanted, (name, list)| wanted.replace(name, list));
        assert_eq!(told, wanted, "{to}");
        assert_eq!(told.lines().count(), 1);
    }
}

#[test]
fn a_name_that_two_files_give_is_told_with_both_places() {
    let list = "[lists]\nsitus = [\"situs\", \"web\"]\n";
    let decision =
        "[decision]\nthreshold = 1\nmargin = 1\nclear_spam_score = 1\nclear_spam_margin = 1\nlikeness = 0\nshort_text_words = 9\n";
    let spelling = "[spelling]\nbukan = [\"gak\"]\n";
    for (first, second, wanted) in [
        (
            list,
            "\n[lists]\nsitus = [\"laman\"]\n",
            "rules/y.toml:3: lists.situs: there is a list of this name already; add your words to it there, or take another name (first at rules/x.toml:2)",
        ),
        (RULE, RULE, "rules/y.toml:2: rule 'x': id: is already used at rules/x.toml:2; take another name"),
        (decision, decision, "rules/y.toml:1: decision: stands in two files of the set; keep that at rules/x.toml:1"),
        (
            "[places]\nnew = 1\n",
            "\n[places]\nnew = 2\n",
            "rules/y.toml:2: places: stands in two files of the set; keep that at rules/x.toml:1",
        ),
        (
            "[spelling]\ntidak = [\"gak\"]\n",
            spelling,
            "rules/y.toml:2: spelling.bukan: 'gak' is already another spelling of 'tidak' (rules/x.toml:2); keep one of them",
        ),
        (
            list,
            &RULE.replace("\"virus\"] }", "\"@sitis\"] }"),
            "rules/y.toml:7: rule 'x': when.any: there is no list '@sitis' (did you mean '@situs'?); the lists are situs",
        ),
    ] {
        assert_eq!(load(&[("x.toml", first), ("y.toml", second)]).unwrap_err(), wanted);
    }
    let off = decision.replace("likeness = 0", "likeness = 12");
    assert_eq!(load(&[("x.toml", &off)]).unwrap_err(), "rules/x.toml:1: decision.likeness: 12 is no number from 0 to 1");
}

#[test]
fn a_domain_names_its_senders_with_or_without_its_sign() {
    for (written, from, fires) in [
        ("bank.example", "ani@bank.example", true),
        ("@bank.example", "ani@bank.example", true),
        ("bank.example", "ani@lainbank.example", false),
        ("bank.example", "ani@sub.bank.example", false),
        ("*.bank.example", "ani@sub.bank.example", true),
        ("ani@bank.example", "ani@bank.example", true),
        ("*noreply*", "noreply-7@bank.example", true),
    ] {
        let text = RULE.replace("{ any = [\"virus\"] }", &format!("{{ sender = [\"{written}\"] }}"));
        let text = text.replace("[\"hp kena virus\"]", &format!("[{{ from = \"{from}\" }}]"));
        let report = selftest::run(&load(&[("x.toml", &text)]).unwrap(), &house(&Config::defaults()));
        assert_eq!(report.is_passed(), fires, "{written} {from}: {report:?}");
    }
}

/// What is said of examples that do not come out.
fn failures(when: &str, examples: &str) -> Vec<String> {
    let text = RULE.replace("{ any = [\"virus\"] }", when).replace("examples = [\"hp kena virus\"]", examples);
    let report = selftest::run(&load(&[("x.toml", &text)]).unwrap(), &house(&Config::defaults()));
    report.failures.iter().map(ToString::to_string).collect()
}

#[test]
fn an_example_that_does_not_come_out_is_told_with_the_condition_that_failed() {
    let of = |when: &str, sample: &str| failures(when, &format!("examples = [{sample}]"));
    let text = "\"surat undangan dari kurir\"";
    let begins = "rules/x.toml:8: rule x: does not fire on this example: \"surat undangan dari kurir …\": ";
    for (when, wanted) in [
        (r#"{ any = ["virus", "trojan*"] }"#, r#"of "virus", "trojan*" none is there (looked at: subject, new, quoted, attachment)"#),
        (
            r#"{ any = ["apk jahat, trojan", "virus"] }"#,
            r#"of "apk jahat, trojan", "virus" none is there (looked at: subject, new, quoted, attachment); each phrase wants its own quotes: "apk jahat", "trojan""#,
        ),
        (r#"{ all = ["kurir", "apk"] }"#, r#"of "apk" none is there (looked at: subject, new, quoted, attachment)"#),
        (r#"{ any = ["kurir", "apk", "paket"], at_least = 2 }"#, r#"at_least: 1 of the 2 wanted words are there: new 1: "kurir""#),
        (r#"{ any = ["kurir"], none = ["undangan"] }"#, r#"what must not be there is there: new 1: "undangan""#),
        (
            r#"{ near = [{ words = ["kurir", "apk|aplikasi"], within = 4 }] }"#,
            r#"near: of "apk|aplikasi" none is there (looked at: subject, new, quoted, attachment)"#,
        ),
        (
            r#"{ near = [{ words = ["surat", "kurir"], within = 2 }] }"#,
            r#"near: "surat" and "kurir" are there, and nowhere within 2 words"#,
        ),
        (
            r#"{ near = [{ words = ["kurir", "surat"], within = 8, ordered = true }] }"#,
            r#"near: "kurir" and "surat" are there, and nowhere within 8 words in this order"#,
        ),
        (r"{ regex = '[0-9]{4}' }", r"regex: '[0-9]{4}' fits nothing (looked at: subject, new, quoted, attachment)"),
        (
            r#"{ any_of = [{ any = ["virus"] }, { go_id = true }] }"#,
            r#"none of the 2 groups of any_of holds: of "virus" none is there (looked at: subject, new, quoted, attachment); go_id: no government domain is named"#,
        ),
        (r#"{ none_of = [{ any = ["kurir"] }] }"#, r#"what must not be there is there: new 1: "kurir""#),
        (r#"{ in = ["subject"], any = ["kurir"] }"#, r#"of "kurir" there is new 1: "kurir", where `in` does not look"#),
        (r#"{ any = ["kurir"], sender = ["bank.example"] }"#, r#"sender: "*@bank.example" wanted, the mail has none"#),
        (r#"{ any = ["kurir"], attachment_name = ["*.apk"] }"#, r#"attachment_name: "*.apk" wanted, the mail has none"#),
        (r#"{ any = ["kurir"], attachment_type = ["image/*"] }"#, r#"attachment_type: "image/*" wanted, the mail has none"#),
        (r#"{ any = ["kurir"], indicators = { urls = 1 } }"#, r"indicators: 1 urls wanted, 0 found"),
        (r#"{ any = ["kurir"], lookalike = true }"#, r"lookalike: no domain imitates another"),
        (r#"{ any = ["kurir"], language = ["en"] }"#, r#"language: "en" wanted, the mail has "id""#),
        (r#"{ any = ["kurir"], dmarc = ["fail"] }"#, r#"dmarc: "fail" wanted, the mail has "none""#),
        (r#"{ any = ["kurir"], format = ["xarf"] }"#, r#"format: "xarf" wanted, the mail has none"#),
        (r#"{ any = ["kurir"], kind = ["reply"] }"#, r#"kind: "reply" wanted, the mail is "report""#),
        (r#"{ any = ["kurir"], words_max = 2 }"#, r"words: the sender wrote 4, and 0 to 2 are wanted"),
    ] {
        assert_eq!(of(when, text), [format!("{begins}{wanted}")], "{when}");
    }
    let denies = |examples: &str| failures("{ any = [\"virus\"] }", &format!("{examples}\n[negation]\nbefore = [\"tidak ada\"]"));
    let fires = denies("counterexamples = [\n\"tidak ada virus\",\n\"kena virus\"]");
    assert_eq!(fires, ["rules/x.toml:10: rule x: fires on this counter-example: \"kena virus …\": it saw new 1: \"virus\""]);
    let denied = denies("examples = [\"tidak ada virus\"]");
    let wanted = "does not fire on this example: \"tidak ada virus …\": of \"virus\" there is new 1: \"virus\", and it is denied";
    assert_eq!(denied, [format!("rules/x.toml:8: rule x: {wanted}")]);
}

#[test]
fn a_test_that_does_not_come_out_is_told_with_the_rule_that_spoke_loudest() {
    let text = format!("{RULE}[[test]]\nname = \"satu\"\ncategory = \"phishing\"\ntext = \"hp kena virus\"\n");
    let report = selftest::run(&load(&[("x.toml", &text)]).unwrap(), &house(&Config::defaults()));
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    let wanted = "rules/x.toml:9: satu: category phishing wanted, malware given (malware 2.50; most by x (+2.50) on new 1: \"virus\"): \"hp kena virus …\"";
    assert_eq!(failures, [wanted]);
    let text = format!("{RULE}[[test]]\ncategory = \"phishing\"\ntext = \"halo\"\n");
    let report = selftest::run(&load(&[("x.toml", &text)]).unwrap(), &house(&Config::defaults()));
    let wanted = "rules/x.toml:9: test: category phishing wanted, other given (no rule fires; unsure: no category reaches the threshold): \"halo …\"";
    assert_eq!(report.failures[0].to_string(), wanted);
    let text = format!("{RULE}[[test]]\ncategory = \"malware\"\npriority = \"high\"\ntext = \"hp kena virus\"\n");
    let report = selftest::run(&load(&[("x.toml", &text)]).unwrap(), &house(&Config::defaults()));
    assert_eq!(
        report.failures[0].to_string(),
        "rules/x.toml:9: test: priority high wanted, medium given (no rule raised it): \"hp kena virus …\""
    );
}

#[test]
fn an_example_says_itself_what_our_server_found_about_its_sender() {
    let text = RULE.replace("{ any = [\"virus\"] }", "{ any = [\"virus\"], dmarc = [\"fail\"] }").replace(
        "examples = [\"hp kena virus\"]",
        "examples = [{ text = \"virus\", dmarc = \"fail\" }]\ncounterexamples = [{ text = \"virus\", dmarc = \"pass\" }, \"virus\"]",
    ) + "[[test]]\ncategory = \"malware\"\ntext = \"virus\"\ndmarc = \"fail\"\n[[test]]\ncategory = \"other\"\ntext = \"virus\"\n";
    let rules = load(&[("x.toml", &text)]).unwrap();
    // With a server to believe and without one.
    for server in [None, Some("mx.bssn.test".to_owned())] {
        let mut house = house(&Config::defaults());
        house.authserv_id = server;
        let report = selftest::run(&rules, &house);
        assert!(report.is_passed(), "{report:?}");
    }
}

#[test]
fn what_is_amiss_with_the_folder_is_told_and_what_editors_leave_in_it_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("x.toml", RULE.replace("examples = [\"hp kena virus\"]\n", "").as_bytes());
    write(".#x.toml", b"no rules");
    write("x.toml~", b"no rules");
    write("koreksi.toml.txt", b"no rules");
    let (code, out, err) = run(&["rules", "check", "--rules", dir]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(&format!("note: {dir}/koreksi.toml.txt is not read: the name of a rule file ends in .toml\n")), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
    let (_, out, _) = run(&["rules", "test", "--rules", dir]);
    let note = format!("note: {dir}/x.toml:2: rule x has no example; write one or two mails on which it must fire\n");
    let not_read = format!("note: {dir}/koreksi.toml.txt is not read: the name of a rule file ends in .toml\n");
    assert!(out.starts_with(&format!("{not_read}{note}")), "{out}");
    let (_, out, _) = run(&["rules", "test", "--rules", dir, "--json"]);
    let object: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(object["untested"], serde_json::json!([{ "rule": "x", "at": format!("{dir}/x.toml:2") }]));
    assert_eq!(object["not_read"], serde_json::json!([format!("{dir}/koreksi.toml.txt")]));
    write("y.toml", b"# baris satu\n# caf\xe9\n");
    let (code, _, err) = run(&["rules", "check", "--rules", dir]);
    assert_eq!(code, 2);
    assert!(err.contains("y.toml:2: is not UTF-8; save it as UTF-8"), "{err}");
}

#[test]
fn the_first_rule_of_the_page_for_analysts_does_what_the_page_says() {
    let page = include_str!("../../../rules/README.md");
    let rule = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(rule.starts_with("[[rule]]\nid = \"malware-tax-courier\""), "{rule}");
    let mut sources: Vec<Source> =
        RuleSet::embedded_files().iter().map(|(name, text)| Source { name: (*name).to_owned(), text: (*text).to_owned() }).collect();
    sources.iter_mut().find(|source| source.name == "malware.toml").unwrap().text.push_str(&format!("\n{rule}"));
    let rules = RuleSet::from_sources(sources).unwrap();
    let listed = rules.list().find(|listed| listed.id == "malware-tax-courier").unwrap();
    assert_eq!((listed.examples, listed.counterexamples), (2, 1));
    let report = selftest::run(&rules, &house(&Config::defaults()));
    let own: Vec<_> = report.failures.iter().filter(|failure| failure.of.contains("malware-tax-courier")).collect();
    assert!(own.is_empty(), "{own:?}");
}
