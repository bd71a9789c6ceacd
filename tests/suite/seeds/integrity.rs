//! Read integrity: bytes that do not have their id are an error, never data.

use std::fs;

use plugpull_store::{Error, ObjectId};

use crate::scratch::{Scratch, corrupt, random_bytes};

/// An object is damaged behind the store's back; every way of reading it must say so.
#[track_caller]
fn assert_caught(damage: impl Fn(&[u8]) -> Vec<u8>) {
    let scratch = Scratch::new();
    let store = scratch.open();
    let bytes = random_bytes(3, 4096);
    let id = store.put(&bytes).unwrap().id;
    corrupt(&scratch.layout().object(&id), &damage(&bytes));

    let error = store.get(&id).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("integrity check"), "{error}");

    let mut reader = store.reader(&id).unwrap().unwrap();
    let error = std::io::copy(&mut reader, &mut std::io::sink()).unwrap_err();
    assert!(error.to_string().contains("integrity check"), "{error}");

    let to = scratch.beside("restored");
    assert!(matches!(store.restore(&id, &to, false), Err(Error::Corrupt { .. })));
    assert!(!to.exists(), "bad bytes get no name");
    scratch.assert_no_temps();
}

#[test]
fn an_object_of_zeros_is_caught() {
    assert_caught(|bytes| vec![0; bytes.len()]);
}

#[test]
fn half_an_object_is_caught() {
    assert_caught(|bytes| bytes[..bytes.len() / 2].to_vec());
}

#[test]
fn an_empty_object_is_caught() {
    assert_caught(|_| Vec::new());
}

#[test]
fn one_flipped_bit_and_one_byte_too_many_are_caught() {
    assert_caught(|bytes| {
        let mut bytes = bytes.to_vec();
        bytes[2048] ^= 1;
        bytes
    });
    assert_caught(|bytes| [bytes, &[0]].concat());
}

#[test]
fn other_bytes_under_an_existing_id_are_refused() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let id = store.put(b"the right bytes").unwrap().id;
    let error = store.put_expecting(&id, b"other bytes").unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error:?}");
    assert!(error.to_string().contains("integrity"), "{error}");
    assert_eq!(fs::read(scratch.layout().object(&id)).unwrap(), b"the right bytes");
    assert_eq!(store.get(&ObjectId::of(b"other bytes")).unwrap(), None);
    scratch.assert_clean();
}
