//! What a strategy gives when it returns, and what a user needs.
//!
//! Said of the calls, by what Linux documents of them; not by what one file system does besides. Not for
//! what they cost (`figures`).

use serde::{Deserialize, Serialize};

/// What is there after a crash, when the strategy had returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gives {
    /// A kill of the process loses nothing. True of every write.
    pub kill: bool,
    /// What a power cut leaves.
    pub power_cut: PowerCut,
    /// Others, and whoever comes after a crash that is survived, find the old or the new, whole.
    pub atomic: bool,
}

/// What a power cut leaves of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerCut {
    /// Anything: the old, the new, a part of it, or nothing.
    Nothing,
    /// The bytes, but the name of the new file only where the file system adds it by itself.
    Content,
    /// The old or the new, whole; which one is open.
    OldOrNew,
    /// The new.
    New,
}

impl Gives {
    /// A kill only.
    pub const KILL: Self = Self { kill: true, power_cut: PowerCut::Nothing, atomic: false };
    /// Durable, in place.
    pub const DURABLE: Self = Self { power_cut: PowerCut::New, ..Self::KILL };
    /// Durable but for the new name.
    pub const CONTENT: Self = Self { power_cut: PowerCut::Content, ..Self::KILL };
    /// Whole for those who look, but not across a power cut.
    pub const WHOLE: Self = Self { atomic: true, ..Self::KILL };
    /// Whole, also after a power cut, which may bring the old one back.
    pub const ORDERED: Self = Self { power_cut: PowerCut::OldOrNew, ..Self::WHOLE };
    /// Whole and durable.
    pub const ALL: Self = Self { power_cut: PowerCut::New, ..Self::WHOLE };

    /// Three letters for a table; [`LETTERS`] explains them.
    pub fn letters(self) -> String {
        let kill = if self.kill { 'k' } else { '-' };
        let power_cut = match self.power_cut {
            PowerCut::Nothing => '-',
            PowerCut::Content => 'c',
            PowerCut::OldOrNew => 'o',
            PowerCut::New => 'p',
        };
        let atomic = if self.atomic { 'a' } else { '-' };
        [kill, power_cut, atomic].iter().collect()
    }

    /// The same in words.
    pub fn words(self) -> String {
        let power_cut = match self.power_cut {
            PowerCut::Nothing => "survives a kill only",
            PowerCut::Content => "survives a power cut, the name if the file system adds it",
            PowerCut::OldOrNew => "old or new after a power cut",
            PowerCut::New => "survives a power cut",
        };
        format!("{power_cut}{}", if self.atomic { "; atomic" } else { "" })
    }
}

/// What the letters of [`Gives::letters`] say.
pub const LETTERS: &str = "gives: k survives a kill; p survives a power cut, o old or new after one, c bytes but not \
                           surely the name; a atomic";

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// What was written survives a kill of the process.
    Kill,
    /// What was written survives a power cut.
    PowerCut,
    /// A power cut leaves the old or the new, whole.
    OldOrNew,
    /// Others see the old or the new, whole.
    Atomic,
}

impl Need {
    /// All, with the word for each.
    pub const ALL: [(&'static str, Self); 4] = [
        ("kill", Self::Kill),
        ("power-cut", Self::PowerCut),
        ("old-or-new", Self::OldOrNew),
        ("atomic", Self::Atomic),
    ];

    /// Whether a strategy that gives this is enough.
    pub fn is_met_by(self, gives: Gives) -> bool {
        match self {
            Self::Kill => gives.kill,
            Self::PowerCut => gives.power_cut == PowerCut::New,
            Self::OldOrNew => gives.atomic && gives.power_cut >= PowerCut::OldOrNew,
            Self::Atomic => gives.atomic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_need_is_met_by_what_gives_it() {
        let all = [
            ("k--", Gives::KILL, vec![Need::Kill]),
            ("kc-", Gives::CONTENT, vec![Need::Kill]),
            ("kp-", Gives::DURABLE, vec![Need::Kill, Need::PowerCut]),
            ("k-a", Gives::WHOLE, vec![Need::Kill, Need::Atomic]),
            ("koa", Gives::ORDERED, vec![Need::Kill, Need::OldOrNew, Need::Atomic]),
            ("kpa", Gives::ALL, Need::ALL.map(|(_, need)| need).to_vec()),
        ];
        for (letters, gives, needs) in all {
            let met: Vec<_> = Need::ALL.iter().filter(|(_, need)| need.is_met_by(gives)).collect();
            assert_eq!(gives.letters(), letters);
            assert_eq!(met.into_iter().map(|(_, need)| *need).collect::<Vec<_>>(), needs);
        }
    }
}
