//! The store beyond its seeds: ownership of temps, collection, refs, repair, audit, format, faults at
//! every call, and random sequences against a model.

mod audit;
mod barriers;
mod every_call;
mod faults;
mod format;
mod gc;
mod group;
mod import;
mod mistakes;
mod model;
mod operations;
mod packs;
mod parents;
mod references;
mod refs;
mod renewed;
mod repair;
mod simulated;
mod temps;
mod together;
mod undo;
mod upgrade;
mod workload;
