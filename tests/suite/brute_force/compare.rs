//! One run under one model: the enumerator's answers beside those of the brute force.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use faultfs::{
    CrashState, DiskImage, Event, Fill, ImageHash, Legal, Model, PersistOrder, Trace, Window,
};

use super::definition::Definition;
use super::picture::{Painter, Picture, agree, photograph};

/// Sets are counted; there are no more subsets than this.
const MANY: u64 = 1 << 20;

/// What was seen of one run.
struct Album<'t> {
    painter: Painter<'t>,
    fill: Fill,
    /// A hash stands for one picture, and a picture has one hash.
    by_hash: BTreeMap<ImageHash, Picture>,
    by_picture: BTreeMap<Picture, ImageHash>,
}

impl Album<'_> {
    /// The image must show this set of effects.
    #[track_caller]
    fn check(&mut self, image: &DiskImage, set: u64, what: impl Fn() -> String) {
        let photo = photograph(image);
        let painted = self.painter.paint(set);
        assert!(
            agree(&painted, &photo, self.fill),
            "{}, effects {set:#b}\n by the definition: {painted:?}\n by the enumerator: {photo:?}",
            what()
        );
        let hash = image.hash();
        let by_hash = self.by_hash.entry(hash).or_insert_with(|| photo.clone());
        assert_eq!(*by_hash, photo, "two images have the hash {hash}");
        assert_eq!(*self.by_picture.entry(photo).or_insert(hash), hash, "one image, two hashes");
    }
}

/// Holds everything against each other; fails with what differs.
pub(super) fn compare(trace: &Trace, model: &Model) {
    let definition = Definition::of(trace, &model.rules);
    let order = PersistOrder::new(trace, model);
    let told =
        |what: &str| format!("{what} under {:?}\n{}", model.rules, story(trace, &definition));
    assert_eq!(order.effects().len(), definition.effects.len(), "{}", told("effects"));
    assert_eq!(order.events() as usize, trace.events.len());
    let mut album = Album {
        painter: Painter::new(trace, &definition),
        fill: model.rules.fill,
        by_hash: BTreeMap::new(),
        by_picture: BTreeMap::new(),
    };
    let mut window = Window::first(&order);
    // Images of all points up to here, by all sets and by what is new only.
    let (mut all_images, mut new_images) = (BTreeSet::new(), BTreeSet::new());
    for point in 0..=trace.events.len() {
        assert_eq!(window.point() as usize, point);
        let pending: Vec<usize> = window.pending().iter().map(|id| id.0 as usize).collect();
        assert_eq!(pending, definition.pending(point), "{}", told(&format!("pending at {point}")));
        let here = Here::new(&definition, point, &pending);
        here.relations(&window, &told);
        let images = here.sets(&window, &order, &mut album, &told);
        let new = here.new_sets(&window, &images, &told);
        if point == 0 {
            new_images.extend(images.values().copied());
        }
        new_images.extend(new);
        all_images.extend(images.into_values());
        assert_eq!(all_images, new_images, "{}", told(&format!("images up to point {point}")));
        let marks = trace.events[..point].iter().filter(|e| matches!(e, Event::Mark(_))).count();
        assert_eq!(window.marks() as usize, marks);
        assert_eq!(window.advance(), point < trace.events.len());
    }
}

/// One crash point by the definition. A set of pending effects is a word: bit n is position n.
struct Here<'d> {
    definition: &'d Definition,
    point: usize,
    pending: &'d [usize],
    /// The effects that survive in any case, by their numbers.
    durable: u64,
    /// What each position needs, and itself.
    closures: Vec<u64>,
    legal: Vec<u64>,
}

impl<'d> Here<'d> {
    fn new(definition: &'d Definition, point: usize, pending: &'d [usize]) -> Self {
        let past = (0..definition.effects.len()).filter(|n| definition.effects[*n].event < point);
        let durable = past.filter(|n| !pending.contains(n)).fold(0, |set, n| set | 1 << n);
        let closure = |number: &usize| {
            let needed = definition.closure(*number);
            let positions = (0..pending.len()).filter(|p| needed.contains(&pending[*p]));
            positions.fold(0, |set, p| set | 1 << p)
        };
        let closures: Vec<u64> = pending.iter().map(closure).collect();
        let is_legal = |set: &u64| {
            (0..pending.len()).all(|p| set >> p & 1 == 0 || set & closures[p] == closures[p])
        };
        let legal = (0..1 << pending.len()).filter(is_legal).collect();
        Self { definition, point, pending, durable, closures, legal }
    }

    fn bools(&self, set: u64) -> Vec<bool> {
        (0..self.pending.len()).map(|p| set >> p & 1 == 1).collect()
    }

    fn word(survives: &[bool]) -> u64 {
        survives.iter().rev().fold(0, |set, survives| set << 1 | u64::from(*survives))
    }

    /// The effects of a set of positions and all durable ones, by their numbers.
    fn numbers(&self, set: u64) -> u64 {
        let positions = (0..self.pending.len()).filter(|p| set >> p & 1 == 1);
        positions.fold(self.durable, |all, p| all | 1 << self.pending[p])
    }

    /// What is lost and kept with each effect, and what is legal.
    fn relations(&self, window: &Window, told: &impl Fn(&str) -> String) {
        for position in 0..self.pending.len() {
            let kept = Self::word(&window.kept_with(position));
            let what = format!("kept with effect {} at {}", self.pending[position], self.point);
            let names = |set: u64| format!("{:#b}", self.numbers(set) & !self.durable);
            let (kept, by_definition) = (names(kept), names(self.closures[position]));
            assert_eq!(kept, by_definition, "{}", told(&what));
            let lost = Self::word(&window.lost_with(&[position]));
            let needing =
                (0..self.pending.len()).filter(|p| self.closures[*p] >> position & 1 == 1);
            let needing = needing.fold(0, |set, p| set | 1 << p);
            assert_eq!(lost, needing, "{}", told("lost with"));
        }
        let mut legal = self.legal.iter().peekable();
        for set in 0..1 << self.pending.len() {
            let by_definition = legal.next_if(|legal| **legal == set).is_some();
            let survives = self.bools(set);
            assert_eq!(window.is_legal(&survives), by_definition, "{}", told("legal"));
        }
    }

    /// All legal sets with their images; returns the hashes by set.
    fn sets(
        &self,
        window: &Window,
        order: &PersistOrder,
        album: &mut Album,
        told: &impl Fn(&str) -> String,
    ) -> BTreeMap<u64, ImageHash> {
        let everything = (1 << self.pending.len()) - 1;
        let tell = |what: &str| told(&format!("{what} at point {}", self.point));
        album.check(window.durable(), self.numbers(0), || tell("durable"));
        album.check(window.full(), self.numbers(everything), || tell("full"));
        let mut images = BTreeMap::new();
        let at = Window::at(order, window.point());
        assert_eq!(at.pending(), window.pending());
        let legal = Legal::all(window);
        let end = legal.visit::<()>(&mut |image, survives| {
            let set = Self::word(survives);
            album.check(image, self.numbers(set), || tell("a state"));
            let twice = images.insert(set, image.hash());
            assert!(twice.is_none(), "{}", tell("a set was visited twice"));
            ControlFlow::Continue(())
        });
        assert!(end.is_continue());
        let visited: Vec<u64> = images.keys().copied().collect();
        assert_eq!(visited, self.legal, "{}", tell("legal sets"));
        assert_eq!(legal.count(MANY), images.len() as u64, "{}", tell("count"));
        let all = images.values().copied().collect();
        Self::seen(&Legal::all(window).without_unseen(), &all, || tell("what is seen"));
        let half = legal.count(images.len() as u64 / 2);
        assert_eq!(half, images.len() as u64 / 2, "{}", tell("count up to half"));
        for (set, hash) in &images {
            let survives = self.bools(*set);
            assert_eq!(at.image(&survives).hash(), *hash, "{}", tell("image"));
            let state = CrashState::new(window, &survives);
            let again: CrashState = state.to_string().parse().unwrap();
            assert_eq!(again, state);
            let mut again = again.image(order).unwrap();
            assert_eq!(again.hash(), *hash, "{}", tell("the image of a token"));
            again.discard_hidden();
            assert_eq!(again.hash(), *hash, "{}", tell("hidden bytes of a token's image"));
        }
        for position in 0..self.pending.len() {
            self.undone(window, &window.lost_with(&[position]), album, &tell);
        }
        self.undone(window, &vec![true; self.pending.len()], album, &tell);
        images
    }

    /// Fewer sets, and the same images.
    fn seen(legal: &Legal, all: &BTreeSet<ImageHash>, told: impl Fn() -> String) {
        let (mut images, mut sets) = (BTreeSet::new(), 0);
        let _end = legal.visit::<()>(&mut |image, _| {
            images.insert(image.hash());
            sets += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(images, *all, "{}", told());
        assert_eq!(legal.count(MANY), sets, "{}", told());
    }

    /// The full image without what is lost, taken out from the end.
    fn undone(
        &self,
        window: &Window,
        lost: &[bool],
        album: &mut Album,
        tell: &impl Fn(&str) -> String,
    ) {
        let mut image = window.full().clone();
        for position in (0..lost.len()).rev().filter(|position| lost[*position]) {
            window.undo(position, &mut image);
        }
        let set = !Self::word(lost) & ((1 << lost.len()) - 1);
        album.check(&image, self.numbers(set), || tell("undone"));
        for position in (0..lost.len()).filter(|position| lost[*position]) {
            window.apply(position, &mut image);
        }
        assert_eq!(image.hash(), window.full().hash(), "{}", tell("done again"));
    }

    /// The sets that hold something of the last event, with the hashes of their images.
    fn new_sets(
        &self,
        window: &Window,
        images: &BTreeMap<u64, ImageHash>,
        told: &impl Fn(&str) -> String,
    ) -> Vec<ImageHash> {
        let newest = |p: &usize| self.definition.effects[self.pending[*p]].event + 1 == self.point;
        let newest = (0..self.pending.len()).filter(newest).fold(0, |set, p| set | 1 << p);
        let mut visited = BTreeMap::new();
        let new_ones = Legal::new_ones(window);
        let _end = new_ones.visit::<()>(&mut |image, survives| {
            let twice = visited.insert(Self::word(survives), image.hash());
            assert!(twice.is_none(), "{}", told("a new set was visited twice"));
            ControlFlow::Continue(())
        });
        let expected = images.iter().filter(|(set, _)| **set & newest != 0);
        let expected: BTreeMap<_, _> = expected.map(|(set, hash)| (*set, *hash)).collect();
        assert_eq!(visited, expected, "{}", told(&format!("new sets at {}", self.point)));
        assert_eq!(new_ones.count(MANY), visited.len() as u64);
        let all = visited.values().copied().collect();
        Self::seen(&new_ones.without_unseen(), &all, || {
            told(&format!("what is seen at {}", self.point))
        });
        visited.into_values().collect()
    }
}

/// The run and its effects, for whoever must find out what is wrong.
fn story(trace: &Trace, definition: &Definition) -> String {
    use std::fmt::Write;
    let mut story = String::new();
    for (number, event) in trace.events.iter().enumerate() {
        let event = match event {
            Event::Op { op, .. } => format!("{op:?}"),
            Event::Mark(_) => "Mark".to_owned(),
        };
        let short: String = event.chars().take(160).collect();
        writeln!(story, "event {number}: {short}").unwrap();
    }
    for (number, effect) in definition.effects.iter().enumerate() {
        let event = effect.event;
        let put: String = format!("{:?}", effect.put).chars().take(60).collect();
        let (places, needs) = (&effect.places, &effect.needs);
        let durable = definition.durable_from[number];
        writeln!(story, "effect {number} of {event}: {put} at {places:?} needs {needs:?}, durable from {durable:?}").unwrap();
    }
    story
}
