//! Images written out and read in again, on the file system of this machine.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nix::sys::stat::Mode;
use proptest::prelude::*;

use crate::image::tests::{Model, change};
use crate::{Attributes, DiskImage, FileKind, Inode, PAGE, Page, Xattrs};

const ROOT: Inode = DiskImage::ROOT;

fn add_file(image: &mut DiskImage, dir: Inode, name: &[u8], attributes: Attributes) -> Inode {
    let inode = Inode(image.last_inode().0 + 1);
    image.insert_file(inode, attributes);
    image.set_entry(dir, name, Some(inode));
    inode
}

#[test]
fn everything_an_image_holds_comes_back() {
    let mut image = DiskImage::new();
    let before_the_epoch = SystemTime::UNIX_EPOCH - Duration::from_millis(1500);
    let odd = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
    let xattrs = Xattrs::from([(b"user.colour".to_vec(), Arc::from(*b"green\0"))]);
    let attributes = Attributes { mode: 0o400, modified: odd, xattrs: Arc::new(xattrs) };
    let file = add_file(&mut image, ROOT, b"\xff\xfe not text", attributes);
    image.write(file, b"begin", 0);
    image.write(file, b"end", 1 << 20);
    image.set_len(file, 1 << 21);
    let dir = Inode(90);
    image.insert_dir(dir, Attributes { modified: before_the_epoch, ..Attributes::new(0o555) });
    image.set_entry(dir, b"twin", Some(file));
    image.set_entry(ROOT, b"dir", Some(dir));
    let link = Inode(91);
    let attributes = Attributes { modified: odd, ..Attributes::new(0o777) };
    image.insert_symlink(link, b"/no/where".to_vec(), attributes);
    image.set_entry(dir, b"link", Some(link));

    let real = tempfile::tempdir().unwrap();
    image.write_out(real.path()).unwrap();
    let back = DiskImage::read_in(real.path()).unwrap();
    assert_eq!(back.diff(&image), []);
    assert_eq!(back.hash(), image.hash());
    let dir = back.lookup(ROOT, b"dir").unwrap();
    let times = [dir, back.lookup(dir, b"link").unwrap(), back.lookup(dir, b"twin").unwrap()]
        .map(|inode| back.attributes(inode).unwrap().modified);
    assert_eq!(times, [before_the_epoch, odd, odd]);
    // A directory without write permission would be in the way of its removal for others than root.
    nix::sys::stat::fchmodat(
        nix::fcntl::AT_FDCWD,
        &real.path().join("dir"),
        Mode::S_IRWXU,
        nix::sys::stat::FchmodatFlags::FollowSymlink,
    )
    .unwrap();
}

#[test]
fn holes_stay_holes_and_stored_zeros_become_holes() {
    let mut image = DiskImage::new();
    let file = add_file(&mut image, ROOT, b"sparse", Attributes::new(0o600));
    image.write(file, &vec![0; 64 * PAGE], 0);
    image.write(file, b"x", 1 << 30);
    let real = tempfile::tempdir().unwrap();
    image.write_out(real.path()).unwrap();
    let found = std::fs::metadata(real.path().join("sparse")).unwrap();
    assert_eq!(found.len(), (1 << 30) + 1);
    assert!(found.blocks() * 512 < 32 * PAGE as u64, "{} blocks", found.blocks());
    let back = DiskImage::read_in(real.path()).unwrap();
    assert_eq!(back.hash(), image.hash());
    let inode = back.lookup(ROOT, b"sparse").unwrap();
    assert_eq!(back.pages(inode).count(), 1);
}

#[test]
fn hidden_bytes_and_nameless_files_are_not_written() {
    let mut image = DiskImage::new();
    let file = add_file(&mut image, ROOT, b"short", Attributes::new(0o600));
    image.write(file, b"abc", 0);
    image.set_page(file, 0, Some(Arc::new(Page::new(&[7; PAGE]))));
    image.set_page(file, 3, Some(Arc::new(Page::new(&[7; PAGE]))));
    image.insert_file(Inode(50), Attributes::new(0o600));
    let real = tempfile::tempdir().unwrap();
    image.write_out(real.path()).unwrap();
    assert_eq!(std::fs::read(real.path().join("short")).unwrap(), [7; 3]);
    assert_eq!(std::fs::read_dir(real.path()).unwrap().count(), 1);
}

#[test]
fn inodes_follow_the_sorted_walk() {
    let real = tempfile::tempdir().unwrap();
    for name in ["c", "a", "b"] {
        std::fs::write(real.path().join(name), name).unwrap();
    }
    let image = DiskImage::read_in(real.path()).unwrap();
    let entries: Vec<_> = image.entries(ROOT).collect();
    let expected = [(&b"a"[..], Inode(2)), (b"b", Inode(3)), (b"c", Inode(4))];
    assert_eq!(entries, expected);
    assert_eq!(image.kind(Inode(2)), Some(FileKind::File));
}

#[test]
fn what_cannot_be_held_is_an_error_that_names_the_path() {
    let real = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&real.path().join("pipe"), Mode::S_IRWXU).unwrap();
    let refused = DiskImage::read_in(real.path()).unwrap_err();
    assert!(refused.to_string().contains("pipe: neither a file"), "{refused}");
    let refused = DiskImage::new().write_out(real.path()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::DirectoryNotEmpty);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_image_survives_the_way_to_disk_and_back(
        changes in prop::collection::vec(change(), 1..40),
    ) {
        let mut image = DiskImage::new();
        let mut model = Model::new();
        for change in &changes {
            model.apply(change, &mut image);
        }
        let real = tempfile::tempdir().unwrap();
        image.write_out(real.path()).unwrap();
        let back = DiskImage::read_in(real.path()).unwrap();
        prop_assert_eq!(back.diff(&image), vec![]);
        prop_assert_eq!(back.hash(), image.hash());
    }
}
