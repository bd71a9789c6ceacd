//! What durability costs on a disk: the steps of `plugpull bench`.
//!
//! [`plan`] chooses among the [`strategies`], each of which states what it [gives]; [`rounds`] measures them in
//! turns, in a [scratch] directory; [`figures`] makes numbers of that; [`plausible`] says what makes them doubtful on
//! this [`machine`]. The [`result`] can be kept, and all that is told is made of it: [`table`] and [`plot`]
//! for terminals, [`page`] for browsers, [`advise`], [`compare`].
//!
//! Not for the store's own speed (the package `benches`), and no verdict: a figure is neither right nor wrong.

pub mod advise;
pub mod compare;
pub mod figures;
pub mod files;
pub mod gives;
pub mod machine;
pub mod page;
pub mod plan;
pub mod plausible;
pub mod plot;
pub mod result;
pub mod rounds;
pub mod scratch;
pub mod stopwatch;
pub mod strategies;
pub mod strategy;
pub mod table;
pub mod words;
