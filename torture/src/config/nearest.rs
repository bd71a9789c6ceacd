//! The word that somebody may have meant. Not for accepting it: a guess is told, never acted upon.

/// The nearest of these words, if one is near enough to be meant.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let most = (word.chars().count() / 3).max(1);
    let distance = |known: &&str| strsim::osa_distance(word, known);
    known.into_iter().min_by_key(distance).filter(|known| distance(known) <= most)
}

/// `; did you mean ...?`, or else all that there is.
pub(super) fn hint<'w>(word: &str, known: impl IntoIterator<Item = &'w str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => match known.into_iter().collect::<Vec<_>>().as_slice() {
            [] => "; there is none".to_owned(),
            all => format!("; there are {}", all.join(", ")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_word_is_not() {
        let keys = ["budget", "tier", "fail-on", "run"];
        for (word, near) in [
            ("bugdet", Some("budget")),
            ("fail_on", Some("fail-on")),
            ("teir", Some("tier")),
            ("ruin", Some("run")),
            ("elephant", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), near, "{word}");
        }
        assert_eq!(hint("x", []), "; there is none");
        assert!(hint("elephant", keys).contains("there are budget, tier"));
    }
}
