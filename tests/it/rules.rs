//! Rules: the shipped set and its tests, the verbs, and what hostile or wrong rule files do.

use bantuan70::rules::syntax::Source;
use bantuan70::rules::{RuleSet, selftest};

fn set(text: &str) -> Result<RuleSet, String> {
    RuleSet::from_sources(vec![Source { name: "rules/x.toml".to_owned(), text: text.to_owned() }]).map_err(|error| error.to_string())
}

fn rule(when: &str) -> String {
    format!("[[rule]]\nid = \"x\"\ncategory = \"malware\"\nweight = 3.0\nreason_id = \"a\"\nreason_en = \"b\"\nwhen = {when}\n")
}

#[test]
fn the_shipped_rules_pass_their_own_tests_and_each_has_an_example() {
    let report = selftest::run(&RuleSet::embedded().unwrap());
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(report.untested, Vec::<String>::new());
}

#[test]
fn a_wrong_rule_file_is_refused_with_file_line_and_reason() {
    for (text, wanted) in [
        ("[[rule]]\nid = \"x\"\nwheight = 2\n", "rules/x.toml:3: wheight"),
        (&rule("{ any = [\"@nirgends\"] }"), "there is no list '@nirgends'"),
        (&rule("{ }"), "names no condition"),
        (&rule("{ regex = '(' }"), "regex"),
        (&rule("{ in = [\"nowhere\"], any = [\"x1\"] }"), "in: 'nowhere'"),
        (&format!("{}{}", rule("{ any = [\"virus\"] }"), rule("{ any = [\"worm\"] }")), "already used"),
        (&rule("{ any = [\"virus\"] }").replace("malware", "virus"), "category: 'virus' is not known"),
        (&rule("{ any = [\"virus\"] }").replace("weight", "rsit = \"a:b\"\nweight"), "not a class:type of RSIT"),
        ("[lists]\na = [\"@b\"]\nb = [\"@a\"]\n", "in a circle"),
        ("this is not toml", "rules/x.toml:1"),
    ] {
        let error = set(text).unwrap_err();
        assert!(error.contains(wanted) && error.starts_with("rules/x.toml"), "{text}\n{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn m14_expressions_of_rules_are_linear_and_bounded() {
    let huge = set(&rule("{ regex = '(?:x{1000}){1000}' }")).unwrap_err();
    assert!(huge.contains("regex"), "{huge}");
    let rules = set(&rule("{ regex = '(a+)+$' }")).unwrap();
    let mail = selftest::mail(&bantuan70::rules::syntax::Parts { subject: format!("{}!", "a".repeat(1 << 20)), ..Default::default() });
    // An engine that backtracks would not come back from this.
    assert!(bantuan70::rules::assess(&rules, &mail).fired.is_empty());
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
