//! `plugpull models` as a person uses it.

use std::fs;

use faultfs::{Model, Rules};
use tempfile::TempDir;

use crate::program::plugpull;

#[test]
fn all_presets_are_listed() {
    let ended = plugpull(["models"]);
    ended.assert(0, &[]);
    for model in Model::presets() {
        assert!(ended.out.contains(&model.about), "{}", ended.out);
    }
}

#[test]
fn each_preset_is_explained_rule_by_rule() {
    for model in Model::presets() {
        let ended = plugpull(["models", &model.name]);
        ended.assert(0, &[]);
        for (rule, word) in model.rules.words() {
            assert!(ended.out.contains(&format!("{} = {word}", rule.name)), "{}", ended.out);
        }
        for source in model.sources.values() {
            assert!(ended.out.contains(source), "{}", ended.out);
        }
    }
}

#[test]
fn a_model_of_ones_own_is_explained_too() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("mine.toml");
    let text = "name = 'mine'\nabout = 'x'\nextends = 'xfs'\n[rules]\ntear = 'bytes(16384)'\n";
    fs::write(&path, text).unwrap();
    let ended = plugpull(["models", path.to_str().unwrap()]);
    ended.assert(0, &[]);
    assert!(ended.out.contains("tear = bytes(16384)") && ended.out.contains("Units of N bytes"));
}

#[test]
fn a_wrong_name_or_file_is_a_clear_error() {
    plugpull(["models", "ext5"]).assert(2, &["no model `ext5`", "ext4-writeback", "mine.toml"]);
    plugpull(["models", "/nowhere/mine.toml"]).assert(2, &["cannot read the model"]);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("mine.toml");
    fs::write(&path, "name = 'mine'\nabout = 'x'\n[rules]\nteer = 'page'\n").unwrap();
    let ended = plugpull(["models", path.to_str().unwrap()]);
    ended.assert(2, &["mine.toml", "unknown field `teer`", "line 4"]);
    assert!(Rules::ALL.iter().all(|rule| ended.err.contains(rule.name)), "{}", ended.err);
}

#[test]
fn machines_get_one_line_for_each_model() {
    let ended = plugpull(["models", "--message-format", "json-lines"]);
    ended.assert(0, &[]);
    let lines: Vec<serde_json::Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), Model::presets().len());
    assert!(lines.iter().all(|line| line["event"] == "model" && line["rules"]["tear"].is_string()));
}
