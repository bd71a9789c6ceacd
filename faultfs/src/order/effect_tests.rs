//! Tests of effects: what is put together from parts is the page that was written, and not a copy.

use std::path::Path;
use std::sync::Arc;

use super::{Change, Changes, fill_part, parts_of};
use crate::{Access, DiskImage, Fs, FsFile, Inode, Model, PAGE, Page, PersistOrder, SimFs, Window};

#[test]
fn a_page_of_sectors_is_in_memory_once_in_all_states() {
    let disk = SimFs::new();
    let file = disk.create_new(Path::new("/a"), 0o644).unwrap();
    file.write_all_at(&[1; 3 * PAGE], 0).unwrap();
    let disk = SimFs::on(disk.image());
    let file = disk.open(Path::new("/a"), Access::ReadWrite).unwrap();
    file.write_all_at(&[2; 2 * PAGE], 512).unwrap();
    let trace = disk.trace();
    let inode = trace.start.lookup(DiskImage::ROOT, b"a").unwrap();
    let order = PersistOrder::new(&trace, Model::preset("posix").unwrap());
    let window = Window::at(&order, order.events());
    assert_eq!(window.pending().len(), 2 * PAGE / 512);
    for id in window.pending() {
        let [Change::Bytes { offset, before, after, .. }] = &order.effect(*id).changes[..] else {
            panic!("{:?}", order.effect(*id));
        };
        let index = offset / PAGE as u64;
        let is = |image: &DiskImage, page: &Option<Arc<Page>>| {
            Arc::ptr_eq(image.page(inode, index).unwrap(), page.as_ref().unwrap())
        };
        assert!(is(window.full(), after), "written at {offset}");
        assert!(is(window.durable(), before), "before {offset}");
    }
    let mut image = window.full().clone();
    for position in (0..window.pending().len()).rev() {
        window.undo(position, &mut image);
    }
    for index in 0..3 {
        let page = |image: &DiskImage| Arc::clone(image.page(inode, index).unwrap());
        assert!(Arc::ptr_eq(&page(&image), &page(&trace.start)), "page {index}");
    }
    assert_eq!(image.hash(), trace.start.hash());
}

#[test]
fn a_shared_page_is_made_anew_only_where_a_fill_changes_it() {
    let page = Arc::new(Page::from([7; PAGE]));
    let filled = |part, at, fill: &[u8]| {
        let mut filled = Some(Arc::clone(&page));
        fill_part(&mut filled, part, at, fill);
        filled.unwrap()
    };
    for (part, at, fill) in
        [(512..1024, 1024, [1; 8]), (512..1024, 504, [1; 8]), (0..512, 3, [7; 8])]
    {
        assert!(Arc::ptr_eq(&filled(part, at, &fill), &page), "at {at}");
    }
    let changed = filled(512..1024, 510, &[1; 8]);
    assert_eq!(changed.bytes()[508..520], [7, 7, 7, 7, 1, 1, 1, 1, 1, 1, 7, 7]);
    assert_eq!(page.bytes()[512], 7);
    let mut hole = None;
    fill_part(&mut hole, 4096..8192, 4000, &[3; 100]);
    assert_eq!(hole.unwrap().bytes()[..6], [3, 3, 3, 3, 0, 0]);
}

#[test]
fn a_range_is_cut_at_the_ends_of_its_pages() {
    let parts: Vec<_> = parts_of(4000..9000).collect();
    assert_eq!(parts, [4000..4096, 4096..8192, 8192..9000]);
    assert_eq!(parts_of(5..5).count(), 0);
}

#[test]
fn changes_keep_their_order_however_many_they_are() {
    let len = |inode| Change::Len { inode: Inode(inode), before: 0, after: 1 };
    let inodes = |changes: &Changes| {
        let inode = |change: &Change| match change {
            Change::Len { inode, .. } => inode.0,
            other => panic!("{other:?}"),
        };
        changes.iter().map(inode).collect::<Vec<_>>()
    };
    for count in 0..4 {
        let mut changes = Changes::from((0..count).map(len).collect::<Vec<_>>());
        assert_eq!(inodes(&changes), (0..count).collect::<Vec<_>>());
        changes.push(len(count));
        assert_eq!(inodes(&changes), (0..=count).collect::<Vec<_>>());
    }
}
