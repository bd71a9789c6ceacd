use faultfs::*;
use plugpull::explore::*;
use plugpull_store::*;
use std::path::Path;
use std::time::Instant;
fn main() {
    let disk = SimFs::new();
    let store = Store::init_on(disk.clone(), Path::new("/s"), Options::default()).unwrap();
    drop(store);
    for commits in [7, 37, 150] {
        let disk = SimFs::on(disk.image());
        let store = Store::open_on(disk.clone(), Path::new("/s"), Options::default()).unwrap();
        let main = Branch::new("main").unwrap();
        let mut tip = None;
        for n in 0..commits {
            let blob = store.put(format!("blob {n}").repeat(20).as_bytes()).unwrap().id;
            let snapshot = store.put_snapshot(&Snapshot::of([("file", blob)]).unwrap()).unwrap().id;
            let id =
                store.put_commit(&Commit::new(tip, snapshot, "me", &format!("{n}"), 0)).unwrap().id;
            let expected = tip.map_or(Expected::Absent, Expected::At);
            let _ = store.update_branch(&main, id, expected).unwrap();
            disk.mark(format!("{n}").as_bytes());
            tip = Some(id);
        }
        let trace = disk.trace();
        println!("{} events", trace.events.len());
        for name in ["sequential", "posix", "ext4", "xfs", "btrfs", "lying-disk"] {
            let t = Instant::now();
            let order = PersistOrder::new(&trace, Model::preset(name).unwrap());
            let built = t.elapsed();
            let t = Instant::now();
            let bounds = Bounds { budget: 1_000_000, ..Bounds::of(Tier::T3) };
            let c = explore(&order, bounds, &mut |_| std::ops::ControlFlow::Continue(()));
            let e = t.elapsed();
            println!(
                "{name}: order {built:?}; {} enumerated, {} distinct, {} skipped, {e:?}: {:.1} k/s",
                c.enumerated(),
                c.states(),
                c.skipped.len(),
                c.enumerated() as f64 / e.as_secs_f64() / 1e3
            );
            for t in &c.tiers {
                println!("   {t:?}");
            }
        }
        let image = disk.image();
        let t = Instant::now();
        for _ in 0..100 {
            let d = SimFs::on(image.clone());
            Store::open_on(d.clone(), Path::new("/s"), Options::default()).unwrap();
        }
        println!("open {:?}", t.elapsed() / 100);
        let d = SimFs::on(image.clone());
        let t = Instant::now();
        for _ in 0..100 {
            Audit::run(&d, Path::new("/s")).unwrap();
        }
        println!("audit {:?}", t.elapsed() / 100);
    }
}
