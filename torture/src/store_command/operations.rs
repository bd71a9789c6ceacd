//! `plugpull store checkout` and `conclude-merge`: what changes several files, all or nothing.

use std::io::Write;

use plugpull_store::{Branch, Head};

use super::Store;
use crate::cli::CheckoutArgs;
use crate::exit::Failure;

pub(super) fn checkout(
    out: &mut dyn Write,
    store: &Store,
    args: &CheckoutArgs,
) -> Result<(), Failure> {
    let Some(work) = args.work.as_deref().filter(|_| !args.abandon) else {
        let gone = store.abandon_operation()?;
        return Ok(writeln!(out, "{}", if gone { "given up" } else { "nothing is under way" })?);
    };
    let head = match (&args.branch, &args.commit) {
        (Some(branch), _) => Head::Branch(Branch::new(branch)?),
        (None, Some(commit)) => Head::Detached(commit.parse()?),
        (None, None) => return Err(Failure::Usage("say --branch or --commit".to_owned())),
    };
    match store.checkout(&head, work)? {
        Some(_receipt) => Ok(()),
        None => Err(Failure::Usage("the branch has no commit".to_owned())),
    }
}

pub(super) fn conclude_merge(store: &Store, branch: &str, commit: &str) -> Result<(), Failure> {
    let Some(state) = store.merge_state()? else {
        return Err(Failure::Usage("there is no merge in progress".to_owned()));
    };
    let _receipt = store.conclude_merge(&Branch::new(branch)?, commit.parse()?, &state)?;
    Ok(())
}
