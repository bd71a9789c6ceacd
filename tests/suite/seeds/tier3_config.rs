//! Tier 3: the settings, and the remotes in them.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use faultfs::CallKind;
use plugpull_store::{Error, Known};

use super::{assert_failed_barriers_are_told, assert_temps_of_their_own, text};
use crate::protocol::{Write, recorded};
use crate::scratch::{Scratch, at_once};
use crate::taps::{EIO, Failing, Fault};

#[test]
fn a_remote_goes_through_a_temp_of_its_own_name_and_is_synced() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let path = scratch.layout().config();
    assert_temps_of_their_own(&recorder, ".state-tmp-", |content| {
        let _ = store.set_remote("local", content, Known::Any).unwrap();
        path.clone()
    });
    let _ = store.set_remote("local", "https://localhost:1337", Known::Any).unwrap();
    Write::of(&recorder.take(), &path).assert_order();
}

#[test]
fn a_failed_change_leaves_no_temp_and_the_old_settings() {
    let before = "# by hand\n[remotes.a]\nurl = \"old\"\n";
    let with_settings = || {
        let scratch = Scratch::new();
        std::fs::write(scratch.layout().config(), before).unwrap();
        scratch
    };
    assert_failed_barriers_are_told(
        with_settings,
        |faulty| faulty.store.set_remote("a", "new", Known::Any).map(|receipt| receipt.reached),
        |scratch, done| {
            let expected = if done { before.replace("old", "new") } else { before.to_owned() };
            assert_eq!(text(&scratch.layout().config()), expected);
        },
    );
    let scratch = with_settings();
    let failing = std::sync::Arc::new(Failing::default());
    let store = scratch.watched(&failing, plugpull_store::Durability::Strict);
    failing.set(Fault::with(EIO).on(&[CallKind::Rename]));
    assert!(store.remove_remote("a").is_err());
    assert!(failing.clear() > 0);
    assert_eq!(text(&scratch.layout().config()), before);
    scratch.assert_no_temps();
}

#[test]
fn a_remote_is_read_back_by_a_new_open() {
    let scratch = Scratch::new();
    let url = "http://myhost:9000";
    let _ = scratch.open().set_remote("myremote", url, Known::Absent).unwrap();
    let remotes = BTreeMap::from([("myremote".to_owned(), url.to_owned())]);
    assert_eq!(scratch.open().remotes().unwrap(), remotes);
    assert_eq!(text(&scratch.layout().config()), format!("[remotes.myremote]\nurl = \"{url}\"\n"));
    scratch.assert_clean();
}

/// The seed lets nine of ten vanish: each of its writers read, changed and wrote without a lock.
#[test]
fn ten_writers_leave_ten_remotes() {
    let scratch = Scratch::new();
    // Each with a store of its own, as processes have.
    at_once(10, |n| {
        let store = scratch.open();
        let _ = store.set_remote(&format!("remote-{n}"), "url", Known::Absent).unwrap();
    });
    assert_eq!(scratch.open().remotes().unwrap().len(), 10);
    scratch.assert_clean();
}

#[test]
fn who_is_mistaken_about_a_value_changes_nothing() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let _ = store.set_config_value("user.name", "me", Known::Absent).unwrap();
    for known in [Known::Absent, Known::Is(&"you".to_owned())] {
        let refused = store.set_config_value("user.name", "other", known);
        assert!(matches!(refused, Err(Error::StateConflict { .. })), "{refused:?}");
    }
    assert_eq!(store.config_value("user.name").unwrap().as_deref(), Some("me"));
    assert!(store.unset_config_value("user.name", Known::Is(&"me".to_owned())).unwrap().is_some());
    assert_eq!(store.unset_config_value("user.name", Known::Any).unwrap(), None);
}

#[test]
fn settings_that_are_no_toml_are_told_and_not_touched() {
    let scratch = Scratch::new();
    let broken = "a = 1\nb = [\n";
    std::fs::write(scratch.layout().config(), broken).unwrap();
    let error = scratch.open().set_remote("a", "url", Known::Any).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(
        error.to_string().contains("line 3") || error.to_string().contains("line 2"),
        "{error}"
    );
    assert_eq!(text(&scratch.layout().config()), broken);
    scratch.assert_no_temps();
}

/// Settings may hold what is nobody's business.
#[test]
fn hidden_settings_stay_hidden() {
    let scratch = Scratch::new();
    let path = scratch.layout().config();
    std::fs::write(&path, "# mine\r\n[auth]\r\ntoken = 'x'\r\n").unwrap();
    for mode in [0o600, 0o640] {
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let _ = scratch.open().set_remote("a", &format!("{mode:o}"), Known::Any).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
    let expected = "# mine\r\n[auth]\r\ntoken = 'x'\r\n\r\n[remotes.a]\r\nurl = \"640\"\r\n";
    assert_eq!(text(&path), expected);
    scratch.assert_clean();
}
