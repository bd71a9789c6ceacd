//! Every rule matters: for each of its values a litmus whose verdict flips when the rule is changed.
//!
//! The two heuristics that are started and not waited for (`flush_started`) promise nothing, and leave
//! the same outcomes as `none`; that is asserted as well.

use std::collections::BTreeSet;

use faultfs::{
    Allocation, Append, Barriers, DataOrder, Fdatasync, Fill, FsyncDir, FsyncFailure, FsyncFile,
    MetadataOrder, Model, RenameAtomicity, Replace, Rule, Rules, Tear, Truncated,
};

use super::Version::{self, Buggy, Fixed};
use super::{Pair, all};
use Verdict::{Holds, Violated};

/// Whether no outcome is a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Holds,
    Violated,
}

/// A litmus, a preset, one of its rules changed, the verdicts before and after.
type Change = (&'static str, Version, &'static str, fn(&mut Rules), Verdict, Verdict);

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    ("order_in_one_directory", Buggy, "ext4", |r| r.metadata_order = MetadataOrder::None, Holds, Violated),
    ("order_in_one_directory", Buggy, "btrfs", |r| r.metadata_order = MetadataOrder::PerDirectory, Violated, Holds),
    ("order_over_two_directories", Buggy, "xfs", |r| r.metadata_order = MetadataOrder::PerDirectory, Holds, Violated),
    ("order_over_two_directories", Buggy, "posix", |r| r.metadata_order = MetadataOrder::Journal, Violated, Holds),
    ("name_then_new_bytes", Buggy, "ext4", |r| r.metadata_order = MetadataOrder::None, Holds, Violated),
    ("name_then_new_bytes", Buggy, "xfs", |r| r.metadata_order = MetadataOrder::PerDirectory, Holds, Violated),
    ("name_then_new_bytes", Buggy, "btrfs", |r| r.metadata_order = MetadataOrder::Journal, Violated, Holds),
    ("overwrite_then_name", Buggy, "ext4", |r| r.data_order = DataOrder::Journal, Violated, Holds),
    ("overwrite_then_name", Buggy, "ext4-data-journal", |r| r.data_order = DataOrder::Free, Holds, Violated),
    ("rename_half_done", Buggy, "posix", |r| r.rename = RenameAtomicity::Split, Holds, Violated),
    ("moved_over_two_directories", Buggy, "posix-split-rename", |r| r.rename = RenameAtomicity::Atomic, Violated, Holds),
    ("new_bytes_then_name", Buggy, "ext4", |r| r.allocation = Allocation::AtWrite, Violated, Holds),
    ("new_bytes_then_name", Buggy, "ext4-nodelalloc", |r| r.allocation = Allocation::Delayed, Holds, Violated),
    ("size_before_bytes", Buggy, "ext4", |r| r.append = Append::DataFirst, Violated, Holds),
    ("size_before_bytes", Buggy, "btrfs", |r| r.append = Append::InBlockFree, Holds, Violated),
    ("new_block_before_bytes", Buggy, "ext4", |r| r.append = Append::Free, Holds, Violated),
    ("new_block_before_bytes", Buggy, "posix", |r| r.append = Append::InBlockFree, Violated, Holds),
    ("tail_taken_for_a_record", Buggy, "ext4-writeback", |r| r.fill = Fill::Zero, Violated, Holds),
    ("tail_taken_for_a_record", Buggy, "posix", |r| r.fill = Fill::Stale, Holds, Violated),
    ("tail_taken_for_a_record", Buggy, "posix", |r| r.fill = Fill::Garbage, Holds, Violated),
    ("record_over_two_pages", Buggy, "sequential", |r| r.tear = Tear::Page, Holds, Violated),
    ("record_over_two_pages", Buggy, "btrfs", |r| r.tear = Tear::None, Violated, Holds),
    ("record_over_two_pages", Buggy, "ext4", |r| r.tear = Tear::Bytes(16_384), Violated, Holds),
    ("record_over_two_sectors", Buggy, "ext4", |r| r.tear = Tear::Sector, Holds, Violated),
    ("record_over_two_sectors", Buggy, "xfs", |r| r.tear = Tear::Page, Violated, Holds),
    ("record_over_two_sectors", Fixed, "xfs", |r| r.tear = Tear::Bytes(64), Holds, Violated),
    ("new_file_without_its_directory", Buggy, "posix", |r| r.fsync_file = FsyncFile::CreatingEntry, Violated, Holds),
    ("linked_name", Buggy, "ext4", |r| r.fsync_file = FsyncFile::Inode, Holds, Violated),
    ("linked_name", Buggy, "btrfs", |r| r.fsync_file = FsyncFile::CreatingEntry, Holds, Violated),
    ("linked_name", Buggy, "posix", |r| r.fsync_file = FsyncFile::OwnEntries, Violated, Holds),
    ("name_of_another_file", Buggy, "btrfs", |r| r.fsync_file = FsyncFile::Journal, Violated, Holds),
    ("new_file_with_fdatasync", Buggy, "btrfs", |r| r.fdatasync = Fdatasync::WithoutJournal, Holds, Violated),
    ("new_directory_synced_itself", Buggy, "ext4", |r| r.fsync_dir = FsyncDir::Entries, Holds, Violated),
    ("earlier_in_another_directory", Buggy, "btrfs", |r| r.fsync_dir = FsyncDir::Journal, Violated, Holds),
    ("later_in_another_directory", Buggy, "ext4", |r| r.fsync_dir = FsyncDir::Checkpoint, Violated, Holds),
    ("replace_via_rename", Buggy, "ext4", |r| r.replace_by_rename = Replace::FlushWaited, Violated, Holds),
    ("replace_via_rename", Buggy, "xfs", |r| r.replace_by_rename = Replace::FlushWaited, Violated, Holds),
    ("replace_via_rename", Buggy, "btrfs", |r| r.replace_by_rename = Replace::None, Holds, Violated),
    ("emptied_then_name", Buggy, "ext4", |r| r.replace_by_truncate = Truncated::FlushWaited, Violated, Holds),
    ("emptied_then_zeros", Buggy, "posix", |r| r.replace_by_truncate = Truncated::FlushWaited, Violated, Holds),
    ("ack_before_fsync", Fixed, "posix", |r| r.barriers = Barriers::Ignored, Holds, Violated),
    ("ack_before_fsync", Fixed, "lying-disk", |r| r.barriers = Barriers::Honoured, Violated, Holds),
    ("fsync_retried", Buggy, "ext4", |r| r.fsync_failure = FsyncFailure::Redirty, Violated, Holds),
    ("fsync_retried", Buggy, "sequential", |r| r.fsync_failure = FsyncFailure::Xfs, Holds, Violated),
    ("fsync_retried", Buggy, "sequential", |r| r.fsync_failure = FsyncFailure::Btrfs, Holds, Violated),
    ("fsync_retried", Fixed, "ext4", |r| r.fsync_failure = FsyncFailure::Ext4Data, Holds, Violated),
];

fn pair(name: &str) -> Pair {
    let found = all().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no litmus {name}")).1()
}

fn verdict(name: &str, version: Version, model: &Model) -> Verdict {
    if pair(name).count(version, model).violations == 0 { Holds } else { Violated }
}

/// The rules in which two models differ, with both words.
fn changed(before: &Model, after: &Model) -> Vec<(&'static str, String, String)> {
    let both = before.rules.words().into_iter().zip(after.rules.words());
    let changed = both.filter(|(before, after)| before.1 != after.1);
    changed.map(|((rule, before), (_, after))| (rule.name, before, after)).collect()
}

/// The pairs whose verdict flips with a rule.
pub(super) fn pairs_that_flip_with(rule: &str) -> BTreeSet<String> {
    let flips = CHANGES.iter().filter(|(_, _, model, change, _, _)| {
        let model = Model::preset(model).unwrap();
        changed(model, &model.with(change))[0].0 == rule
    });
    flips.map(|(name, ..)| (*name).to_owned()).collect()
}

#[test]
fn verdicts_flip_when_a_rule_is_changed() {
    for (name, version, model, change, before, after) in CHANGES {
        let model = Model::preset(model).unwrap();
        let other = model.with(change);
        let which = changed(model, &other);
        assert_eq!(which.len(), 1, "{name}: one rule is changed: {which:?}");
        assert_ne!(before, after, "{name}: {which:?}");
        let context = format!("{name}, {version:?}, {}: {which:?}", model.name);
        assert_eq!(verdict(name, *version, model), *before, "before: {context}");
        assert_eq!(verdict(name, *version, &other), *after, "after: {context}");
    }
}

/// Starting a flush promises nothing.
const WITHOUT_PROMISE: &str = "flush_started";

#[test]
fn each_value_of_each_rule_is_one_side_of_a_flip() {
    let mut shown = BTreeSet::new();
    for (_, _, model, change, _, _) in CHANGES {
        let model = Model::preset(model).unwrap();
        for (rule, before, after) in changed(model, &model.with(change)) {
            for word in [before, after] {
                shown.insert((
                    rule,
                    if word.starts_with("bytes(") { "bytes(N)".into() } else { word },
                ));
            }
        }
    }
    for rule in Rules::ALL {
        for (value, _) in rule.values.iter().filter(|(value, _)| *value != WITHOUT_PROMISE) {
            assert!(shown.contains(&(rule.name, (*value).to_owned())), "{}: {value}", rule.name);
        }
    }
}

#[test]
fn a_flush_that_is_started_promises_as_much_as_none() {
    let ext4 = Model::preset("ext4").unwrap();
    let none = ext4.with(|rules| {
        rules.replace_by_rename = Replace::None;
        rules.replace_by_truncate = Truncated::None;
    });
    for (name, pair) in all() {
        for version in [Buggy, Fixed] {
            let (started, none) = (pair().count(version, ext4), pair().count(version, &none));
            assert_eq!(started, none, "{name}, {version:?}");
        }
    }
}

/// The verdicts of all litmus programs.
fn verdicts(model: &Model) -> impl Iterator<Item = Verdict> {
    let programs = all().flat_map(|(name, _)| [(*name, Buggy), (*name, Fixed)]);
    programs.map(|(name, version)| verdict(name, version, model))
}

/// Whether another value of the rule changes a verdict under the model.
fn matters(model: &Model, rule: &Rule) -> bool {
    let verdicts_now: Vec<_> = verdicts(model).collect();
    rule.values.iter().any(|(value, _)| {
        let value = value.replace('N', "64");
        let text = format!(
            "name = 'other'\nabout = ''\nextends = '{}'\n[rules]\n{} = '{value}'\n",
            model.name, rule.name
        );
        !verdicts(&Model::parse(&text).unwrap()).eq(verdicts_now.iter().copied())
    })
}

/// Rules that change no verdict under a preset, whatever their value, because of other rules there.
const IDLE: &[(&str, &[&str])] = &[
    // A write and its size are one change, in its place: nothing waits, is late or has a fill, a
    // rename comes after the bytes anyway, and a size that is made durable takes all along.
    (
        "sequential",
        &["allocation", "append", "fill", "fdatasync", "replace_by_rename", "replace_by_truncate"],
    ),
    // Without an order of metadata nothing can take a place in it, neither bytes nor sizes; and there
    // is nothing that fsync does for names which fdatasync could leave out.
    ("posix", &["data_order", "allocation", "fdatasync"]),
    ("posix-split-rename", &["data_order", "allocation", "fdatasync"]),
    // A new block waits for its bytes, so it never shows what was there before; a size that is made
    // durable takes all earlier metadata along, its file's name too.
    ("ext4", &["fill", "fdatasync"]),
    ("ext4-bob", &["fill", "fdatasync"]),
    // A size that waits for no bytes shows none of them, in whichever place it is.
    ("ext4-writeback", &["allocation", "fdatasync"]),
    // As the control, but for the tear.
    (
        "ext4-data-journal",
        &["allocation", "append", "fill", "fdatasync", "replace_by_rename", "replace_by_truncate"],
    ),
    // Sizes wait and are in their place, so a rename or a later name comes after the bytes anyway,
    // and a size that is made durable takes the name along.
    ("ext4-nodelalloc", &["fill", "fdatasync", "replace_by_rename", "replace_by_truncate"]),
    // Every size waits for its bytes, and takes the name along.
    ("xfs", &["fill", "fdatasync"]),
    // As xfs, and as posix without an order of metadata.
    ("btrfs", &["data_order", "allocation", "fill", "replace_by_truncate"]),
    // As posix; and what a barrier would keep does not matter where none is kept.
    (
        "lying-disk",
        &["data_order", "allocation", "fsync_file", "fdatasync", "fsync_dir", "fsync_failure"],
    ),
];

#[test]
fn every_rule_of_every_preset_matters_or_it_is_said_why_not() {
    for model in Model::presets() {
        let idle = Rules::ALL.iter().filter(|rule| !matters(model, rule));
        let idle: Vec<_> = idle.map(|rule| rule.name).collect();
        let expected = IDLE.iter().find(|(name, _)| *name == model.name);
        assert_eq!(expected.map(|(_, rules)| *rules), Some(idle.as_slice()), "{}", model.name);
    }
}
