//! Tier 2: reservations and intents.

use std::path::PathBuf;

use plugpull_store::{Claim, Error};
use serde_json::{Value, from_str};

use super::{assert_temps_of_their_own, text};
use crate::protocol::{Write, recorded};
use crate::scratch::{Scratch, at_once, branch, files_below};

fn claim(run: &str, address: &str, operation: &str) -> Claim {
    Claim::new(run, branch("main"), [address], operation)
}

fn json_file(dir: &std::path::Path, id: &str) -> (PathBuf, Value) {
    let path = dir.join(format!("{id}.json"));
    let json = from_str(&text(&path)).unwrap();
    (path, json)
}

#[test]
fn a_reservation_goes_through_a_temp_of_its_own_name_and_is_synced() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let dir = scratch.layout().reservations();
    assert_temps_of_their_own(&recorder, ".state-tmp-", |content| {
        let (reservation, _) = store.reserve(&claim("run", content, "write")).unwrap();
        dir.join(format!("{}.json", reservation.reservation_id))
    });
    let (reservation, _) = store.reserve(&claim("run", "other", "write")).unwrap();
    let path = dir.join(format!("{}.json", reservation.reservation_id));
    Write::of(&recorder.take(), &path).assert_order();
}

#[test]
fn a_reservation_is_json_under_its_id() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let (reservation, _) = store.reserve(&claim("run", "a.py::f", "write")).unwrap();
    let (_, json) = json_file(&scratch.layout().reservations(), &reservation.reservation_id);
    assert_eq!(json["operation"], "write");
    assert_eq!(json["run_id"], "run");
    assert_eq!(json["branch"], "main");
    assert_eq!(json["addresses"], serde_json::json!(["a.py::f"]));
    assert_eq!(json["schema_version"], 1);
    let [created, expires] = ["created_at", "expires_at"].map(|key| json[key].as_u64().unwrap());
    assert_eq!(expires - created, 3_600_000);
    assert_eq!(store.reservation(&reservation.reservation_id).unwrap(), Some(reservation));
}

#[test]
fn an_intent_goes_through_a_temp_of_its_own_name_and_is_synced() {
    let scratch = Scratch::new();
    let (recorder, store) = recorded(&scratch);
    let (reservation, _) = store.reserve(&claim("run", "a.py", "merge")).unwrap();
    let dir = scratch.layout().intents();
    recorder.take();
    let intend = |detail: &str| {
        let id = &reservation.reservation_id;
        let (intent, _) = store.intend(id, ["a.py"], "merge", detail).unwrap();
        dir.join(format!("{}.json", intent.intent_id))
    };
    assert_temps_of_their_own(&recorder, ".state-tmp-", intend);
    let path = intend("third");
    Write::of(&recorder.take(), &path).assert_order();
}

#[test]
fn an_intent_is_json_under_its_id() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let (reservation, _) = store.reserve(&claim("run", "a.py", "write")).unwrap();
    let id = &reservation.reservation_id;
    let (intent, _) = store.intend(id, ["a.py"], "push", "to origin").unwrap();
    let (_, json) = json_file(&scratch.layout().intents(), &intent.intent_id);
    assert_eq!(json["operation"], "push");
    assert_eq!(json["detail"], "to origin");
    assert_eq!(json["reservation_id"], **id);
    assert_eq!(store.intents().unwrap(), [intent]);
}

#[test]
fn no_temp_is_left_after_a_reservation() {
    let scratch = Scratch::new();
    let _ = scratch.open().reserve(&claim("run", "a.py", "write")).unwrap();
    scratch.assert_clean();
}

#[test]
fn no_temp_is_left_after_an_intent() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let (reservation, _) = store.reserve(&claim("run", "a.py", "write")).unwrap();
    let _ = store.intend(&reservation.reservation_id, ["a.py"], "commit", "").unwrap();
    scratch.assert_clean();
    assert_eq!(scratch.audit().counts.intents, 1);
}

#[test]
fn twenty_agents_make_exactly_twenty_reservations() {
    let scratch = Scratch::new();
    at_once(20, |n| {
        let claim = claim(&format!("agent-{n}"), &format!("file-{n}.py"), "write");
        let _ = scratch.open().reserve(&claim).unwrap();
    });
    assert_eq!(files_below(&scratch.layout().reservations()).len(), 20);
    scratch.assert_clean();
}

#[test]
fn of_twenty_agents_who_want_one_address_exactly_one_gets_it() {
    let scratch = Scratch::new();
    let got = at_once(20, |n| {
        match scratch.open().reserve(&claim(&format!("agent-{n}"), "same.py", "write")) {
            Ok((reservation, _)) => Ok(reservation.run_id),
            Err(Error::Held { address, holder, .. }) => {
                assert_eq!(address, "same.py");
                Err(holder)
            }
            Err(e) => panic!("{e}"),
        }
    });
    let winners: Vec<_> = got.iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert!(got.iter().filter_map(|got| got.as_ref().err()).all(|holder| holder == winners[0]));
    assert_eq!(files_below(&scratch.layout().reservations()).len(), 1);
    scratch.assert_clean();
}
