//! `plugpull models`: the persistence models, explained rule by rule.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use faultfs::{Model, Rule};
use serde_json::json;

use crate::cli::{MessageFormat, ModelsArgs};
use crate::exit::{Exit, Failure};

/// Prints all presets, or one model with its rules.
pub fn run(args: &ModelsArgs) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    match (&args.name, args.message_format) {
        (Some(name), MessageFormat::Human) => explain(&mut out, &load(name)?)?,
        (Some(name), MessageFormat::JsonLines) => line(&mut out, &load(name)?)?,
        (None, MessageFormat::Human) => list(&mut out)?,
        (None, MessageFormat::JsonLines) => {
            Model::presets().iter().try_for_each(|model| line(&mut out, model))?;
        }
    }
    Ok(Exit::Clean)
}

/// The model that `--model` names: a preset, or a file of one's own.
#[expect(clippy::disallowed_methods, reason = "a file of the user's, which no store is over")]
pub fn load(name: &str) -> Result<Model, Failure> {
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "toml");
    if !is_file && !name.contains('/') {
        return Model::preset(name).cloned().map_err(|e| {
            Failure::Usage(format!("{e}; a model of your own is named by its file, mine.toml"))
        });
    }
    let text = fs::read_to_string(name)
        .map_err(|e| Failure::Usage(format!("cannot read the model {name}: {e}")))?;
    Model::parse(&text).map_err(|e| Failure::Usage(format!("{name}: {e}")))
}

fn list(out: &mut impl Write) -> io::Result<()> {
    for model in Model::presets() {
        writeln!(out, "{:<20} {}", model.name, model.about)?;
    }
    writeln!(out, "\nplugpull models NAME explains the rules of one")
}

fn explain(out: &mut impl Write, model: &Model) -> io::Result<()> {
    writeln!(out, "{}: {}", model.name, model.about)?;
    for (rule, word) in model.rules.words() {
        writeln!(out, "\n{} = {word}", rule.name)?;
        writeln!(out, "    {}", rule.says)?;
        writeln!(out, "    {}", meaning(&rule, &word))?;
        if let Some(source) = model.sources.get(rule.name) {
            writeln!(out, "    source: {source}")?;
        }
    }
    Ok(())
}

/// What a value says; the units of `bytes(N)` are explained once.
fn meaning(rule: &Rule, word: &str) -> &'static str {
    let named = |value: &&(&str, _)| value.0.split('(').next() == word.split('(').next();
    rule.values.iter().find(named).map_or("", |(_, meaning)| meaning)
}

fn line(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let line = json!({
        "event": "model",
        "version": 1,
        "name": model.name,
        "about": model.about,
        "rules": model.rules,
        "sources": model.sources,
    });
    writeln!(out, "{line}")
}
