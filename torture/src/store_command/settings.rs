//! `plugpull store config` and `remote`: the settings in a person's hand.

use std::io::Write;

use plugpull_store::Known;

use super::Store;
use crate::cli::{ConfigArgs, RemoteArgs};
use crate::exit::Failure;

pub(super) fn config(out: &mut dyn Write, store: &Store, args: &ConfigArgs) -> Result<(), Failure> {
    match (&args.key, &args.value) {
        (Some(key), Some(value)) => {
            let _receipt = store.set_config_value(key, value, Known::Any)?;
        }
        (Some(key), None) if args.unset => {
            let _receipt = there(store.unset_config_value(key, Known::Any)?, "value at", key)?;
        }
        (Some(key), None) => {
            let value = there(store.config_value(key)?, "value at", key)?;
            writeln!(out, "{value}")?;
        }
        (None, _) => {
            for (key, value) in store.config()?.values() {
                writeln!(out, "{key} = {value}")?;
            }
        }
    }
    Ok(())
}

pub(super) fn remote(out: &mut dyn Write, store: &Store, args: &RemoteArgs) -> Result<(), Failure> {
    match (&args.name, &args.url) {
        (Some(name), Some(url)) => {
            let _receipt = store.set_remote(name, url, Known::Any)?;
        }
        (Some(name), None) if args.remove => {
            let _receipt = there(store.remove_remote(name)?, "remote", name)?;
        }
        (Some(name), None) => {
            let url = there(store.remotes()?.remove(name), "remote", name)?;
            writeln!(out, "{url}")?;
        }
        (None, _) => {
            for (name, url) in store.remotes()? {
                writeln!(out, "{name} {url}")?;
            }
        }
    }
    Ok(())
}

fn there<T>(found: Option<T>, what: &str, name: &str) -> Result<T, Failure> {
    found.ok_or_else(|| Failure::Usage(format!("there is no {what} {name:?}")))
}
