//! Which of the calls that a rule is for it hits, as a word over the sequence of them.
//!
//! | pattern | hits |
//! |---|---|
//! | `x` | the first call only |
//! | `..x` | the third call only |
//! | `x*` | every call |
//! | `..x*` | the third call and every later one |
//! | `(..x)*` | every third call |
//! | `.{999}x` | the thousandth call only |
//! | `20%` | each call with a chance of 20 percent, by the rule's seed |
//!
//! `.` is a call that is made as it was asked, `x` one that is hit. Parentheses group; `{n}` behind
//! either repeats it n times, `*` for ever, so that nothing can follow it. Behind the end of the
//! pattern no call is hit. A pattern that can hit nothing is refused. Not for which calls these
//! are: the rule says.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::rng::Rng;

/// Longest pattern, in bytes; it bounds how deep groups nest.
const MAX_LEN: usize = 1000;

/// How many times `*` repeats. No run makes so many calls.
const FOR_EVER: u64 = u64::MAX;

/// Which of a sequence of calls are hit: `..x`, `x*`, `(..x)*`, `.{999}x` or `20%`.
///
/// `.` is a call that is made, `x` one that is hit; `( )` group, `{n}` repeats, `*` at the end
/// repeats for ever. Behind its end a pattern hits nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    meaning: Meaning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    Percent(u64),
    Sequence(Vec<Item>),
}

/// A part of a pattern, so many times.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    what: What,
    times: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Made,
    Hit,
    Group(Vec<Item>),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "pattern `{text}`, character {at}: {problem}; allowed are `.` (made), `x` (hit), `( )`, behind them \
     `{{n}}` (n times) or, at the end, `*` (for ever), or else a chance from `1%` to `100%`"
)]
pub struct PatternError {
    /// The text.
    pub text: String,
    /// Which character is wrong, counted from 1.
    pub at: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Pattern {
    /// Every call.
    pub fn always() -> Self {
        Self::known("x*")
    }

    /// One call only, counted from 1.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    pub fn nth(n: u64) -> Self {
        match n {
            1 => Self::known("x"),
            _ => Self::known(&format!(".{{{}}}x", n.checked_sub(1).expect("counted from 1"))),
        }
    }

    fn known(text: &str) -> Self {
        text.parse().expect("made by ourselves")
    }

    /// Whether call number `n`, counted from 0, is hit.
    pub(super) fn hits(&self, n: u64, rng: &mut Rng) -> bool {
        match &self.meaning {
            Meaning::Percent(percent) => rng.below(100) < *percent,
            Meaning::Sequence(items) => hits(items, n),
        }
    }
}

impl Item {
    fn len(&self) -> u64 {
        let once = match &self.what {
            What::Made | What::Hit => 1,
            What::Group(items) => len(items),
        };
        once.saturating_mul(self.times)
    }

    fn can_hit(&self) -> bool {
        match &self.what {
            What::Made => false,
            What::Hit => true,
            What::Group(items) => items.iter().any(Self::can_hit),
        }
    }
}

fn len(items: &[Item]) -> u64 {
    items.iter().map(Item::len).fold(0, u64::saturating_add)
}

fn hits(items: &[Item], mut n: u64) -> bool {
    for item in items {
        let here = item.len();
        if n < here {
            return match &item.what {
                What::Made => false,
                What::Hit => true,
                What::Group(items) => hits(items, n % len(items)),
            };
        }
        n -= here;
    }
    false
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let mut parser = Parser { text, at: 0 };
        match parser.pattern() {
            Ok(meaning) => Ok(Self { text: text.to_owned(), meaning }),
            Err(problem) => Err(PatternError { text: text.to_owned(), at: parser.at + 1, problem }),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where in a text a parser is. At an error it stays where the error is.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn pattern(&mut self) -> Parsed<Meaning> {
        if self.text.len() > MAX_LEN {
            return Err("the pattern is too long");
        }
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.percent();
        }
        let items = self.items()?;
        match self.peek() {
            Some(b')') => Err("no group is open"),
            Some(_) => Err("this means nothing"),
            None if items.iter().any(Item::can_hit) => Ok(Meaning::Sequence(items)),
            None => Err("nothing is ever hit"),
        }
    }

    fn percent(&mut self) -> Parsed<Meaning> {
        let percent = self.number()?;
        self.expect(b'%', "a number is a chance, and `%` follows it")?;
        match percent {
            _ if self.peek().is_some() => Err("nothing follows a chance"),
            1..=100 => Ok(Meaning::Percent(percent)),
            _ => Err("this is no chance"),
        }
    }

    /// Items up to what begins none.
    fn items(&mut self) -> Parsed<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            let what = match self.peek() {
                Some(b'.') => What::Made,
                Some(b'x') => What::Hit,
                Some(b'(') => {
                    self.at += 1;
                    let items = self.items()?;
                    match self.peek() {
                        Some(b')') if items.is_empty() => return Err("the group is empty"),
                        Some(b')') => What::Group(items),
                        Some(_) => return Err("this means nothing"),
                        None => return Err("a group is not closed"),
                    }
                }
                _ => return Ok(items),
            };
            self.at += 1;
            let times = self.times()?;
            items.push(Item { what, times });
        }
    }

    fn times(&mut self) -> Parsed<u64> {
        match self.peek() {
            Some(b'*') => {
                self.at += 1;
                if self.peek().is_some() { Err("nothing follows `*`") } else { Ok(FOR_EVER) }
            }
            Some(b'{') => {
                self.at += 1;
                let times = self.number()?;
                self.expect(b'}', "the number is not closed by `}`")?;
                if times == 0 { Err("none is not so many times") } else { Ok(times) }
            }
            _ => Ok(1),
        }
    }

    fn number(&mut self) -> Parsed<u64> {
        let rest = &self.text[self.at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse().map_err(|_| "this is no number that fits")?;
        self.at += digits;
        Ok(number)
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Parsed<()> {
        if self.peek() != Some(byte) {
            return Err(problem);
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_hits_the_calls_it_draws() {
        let cases = [
            ("x", "x......"),
            ("..x", "..x...."),
            ("x*", "xxxxxxx"),
            ("..x*", "..xxxxx"),
            ("(..x)*", "..x..x."),
            (".(x.){2}x", ".x.x.x."),
            ("((x.){2}.)*", "x.x..x."),
            (".{4}x{2}", "....xx."),
            ("100%", "xxxxxxx"),
        ];
        for (pattern, expected) in cases {
            let pattern: Pattern = pattern.parse().unwrap();
            let mut rng = Rng::new(0);
            let hit = |n| if pattern.hits(n, &mut rng) { 'x' } else { '.' };
            assert_eq!((0..7).map(hit).collect::<String>(), expected, "{pattern}");
        }
        let far = Pattern::nth(1_000_000_000_000);
        assert!(far.hits(999_999_999_999, &mut Rng::new(0)));
        assert!(!far.hits(999_999_999_998, &mut Rng::new(0)));
        assert_eq!(Pattern::nth(1).to_string(), "x");
    }

    #[test]
    fn a_chance_is_about_as_often_as_it_says_and_repeats_by_its_seed() {
        let pattern: Pattern = "20%".parse().unwrap();
        let run = |seed| {
            let mut rng = Rng::new(seed);
            (0..10_000).map(|n| pattern.hits(n, &mut rng)).collect::<Vec<_>>()
        };
        let hits = run(1).into_iter().filter(|hit| *hit).count();
        assert!((1_800..2_200).contains(&hits), "{hits}");
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_place_and_what_is_allowed() {
        let cases = [
            ("", 1, "nothing is ever hit"),
            ("..", 3, "nothing is ever hit"),
            ("..y", 3, "this means nothing"),
            ("x)", 2, "no group is open"),
            ("(x", 3, "a group is not closed"),
            ("(xy)", 3, "this means nothing"),
            ("()x", 2, "the group is empty"),
            ("x*.", 3, "nothing follows `*`"),
            ("(x*)", 4, "nothing follows `*`"),
            ("x{0}", 5, "none is not so many times"),
            ("x{2", 4, "the number is not closed by `}`"),
            ("x{}", 3, "this is no number that fits"),
            ("x{99999999999999999999}", 3, "this is no number that fits"),
            ("20", 3, "a number is a chance, and `%` follows it"),
            ("0%", 3, "this is no chance"),
            ("101%", 5, "this is no chance"),
            ("20%x", 4, "nothing follows a chance"),
        ];
        for (text, at, problem) in cases {
            let error = text.parse::<Pattern>().unwrap_err();
            assert_eq!((error.at, error.problem), (at, problem), "{text}");
            let told = error.to_string();
            assert!(told.contains("`{n}` (n times)"), "{told}");
            assert!(told.starts_with(&format!("pattern `{text}`, character {at}: ")), "{told}");
        }
        let long = "(".repeat(MAX_LEN + 1);
        assert_eq!(long.parse::<Pattern>().unwrap_err().problem, "the pattern is too long");
        assert!("(".repeat(MAX_LEN).parse::<Pattern>().is_err());
    }
}
