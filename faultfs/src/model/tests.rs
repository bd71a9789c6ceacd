//! Tests of models: presets are whole, a file's mistakes are named.

use super::*;

#[test]
fn every_preset_reads_and_says_what_it_is() {
    assert_eq!(Model::presets().len(), FILES.len());
    for model in Model::presets() {
        assert!(!model.about.is_empty());
        assert_eq!(model.rules.words().len(), Rules::ALL.len());
        assert!(!model.sources.is_empty(), "{}", model.name);
    }
}

#[test]
fn words_of_values_are_those_of_the_rule() {
    for model in Model::presets() {
        for (rule, word) in model.rules.words() {
            assert!(rule.values.iter().any(|(value, _)| *value == word), "{}: {word}", rule.name);
        }
    }
}

#[test]
fn a_file_extends_a_preset() {
    let text = "name = 'mine'\nabout = 'x'\nextends = 'ext4'\n[rules]\ntear = 'bytes(16384)'\n";
    let model = Model::parse(text).unwrap();
    assert_eq!(model.rules.tear, Tear::Bytes(16384));
    let ext4 = Model::preset("ext4").unwrap();
    assert_eq!(model.with(|rules| rules.tear = Tear::Page).rules, ext4.rules);
    assert_eq!(model.sources["append"], ext4.sources["append"]);
}

/// The error's text for a file with these lines.
fn error(lines: &str) -> String {
    Model::parse(&format!("name = 'mine'\nabout = 'x'\n{lines}")).unwrap_err().to_string()
}

#[test]
fn an_unknown_rule_is_an_error_that_lists_the_rules() {
    let text = error("extends = 'ext4'\n[rules]\nteer = 'page'\n");
    for rule in Rules::ALL {
        assert!(text.contains(rule.name), "{text}");
    }
    assert!(text.contains("line 5"), "{text}");
}

#[test]
fn an_unknown_value_is_an_error_that_lists_the_values() {
    for rule in Rules::ALL {
        let text = error(&format!("extends = 'ext4'\n[rules]\n{} = 'maybe'\n", rule.name));
        assert!(text.contains("maybe"), "{text}");
        for (value, _) in rule.values {
            assert!(text.contains(&format!("`{value}`")), "{}: {value}: {text}", rule.name);
        }
    }
}

#[test]
fn what_is_missing_or_unknown_is_named() {
    assert!(error("").contains("rule `metadata_order` is missing"));
    let text = error("extends = 'ext5'\n");
    assert!(text.contains("no model `ext5`") && text.contains("ext4-writeback"), "{text}");
    let text = error("extends = 'ext4'\n[sources]\nteer = 'x'\n");
    assert!(text.contains("`teer` in [sources] is no rule"), "{text}");
    assert!(error("colour = 1\n").contains("unknown field `colour`"));
    assert!(error("extends = 'ext4'\n[rules]\ntear = 'bytes(0)'\n").contains("1 or more"));
}
