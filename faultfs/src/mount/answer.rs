//! Answers to the kernel, from what our own functions return. Not for anything that has no answer but
//! one kind in one place.

use std::io;

use fuser::{
    Errno, FileAttr, Generation, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyXattr, Request,
};

use super::attributes::FOR_EVER;
use super::shared::Owner;

/// To whom belongs what a request makes.
pub(super) fn maker(req: &Request) -> Owner {
    (req.uid(), req.gid())
}

/// What a name leads to.
pub(super) fn entry(reply: ReplyEntry, made: io::Result<FileAttr>) {
    match made {
        Ok(attributes) => reply.entry(&FOR_EVER, &attributes, Generation(0)),
        Err(e) => reply.error(e.into()),
    }
}

/// Done, or not.
pub(super) fn empty(reply: ReplyEmpty, done: io::Result<()>) {
    match done {
        Ok(()) => reply.ok(),
        Err(e) => reply.error(e.into()),
    }
}

/// Bytes.
pub(super) fn data(reply: ReplyData, read: io::Result<Vec<u8>>) {
    match read {
        Ok(bytes) => reply.data(&bytes),
        Err(e) => reply.error(e.into()),
    }
}

/// The value of an extended attribute, or how long it is, as getxattr(2) asks.
pub(super) fn sized(reply: ReplyXattr, size: u32, value: io::Result<Vec<u8>>) {
    match value {
        Err(e) => reply.error(e.into()),
        Ok(value) if size == 0 => reply.size(u32::try_from(value.len()).unwrap_or(u32::MAX)),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
    }
}

/// What stat tells.
pub(super) fn attributes(reply: ReplyAttr, found: io::Result<FileAttr>) {
    match found {
        Ok(attributes) => reply.attr(&FOR_EVER, &attributes),
        Err(e) => reply.error(e.into()),
    }
}
