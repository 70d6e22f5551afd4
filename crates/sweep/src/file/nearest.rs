//! The nearest accepted word to a misspelt one.

/// Words of other tools and what they are called here.
const SYNONYMS: [(&str, &str); 10] = [
    ("learning_rate", "lr"),
    ("optimiser", "optimizer"),
    ("scheduler", "schedule"),
    ("wd", "weight_decay"),
    ("bn", "batch_norm"),
    ("dataset", "data"),
    ("network", "model"),
    ("layers", "depth"),
    ("channels", "width"),
    ("grad_clip", "clip_norm"),
];

/// The accepted word nearest to `found`, if it is near enough to be meant: at most a third of
/// its letters wrong (a swap of neighbours is one mistake), or the one a part of the other.
pub fn nearest<'a>(found: &str, accepted: &'a [String]) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', ' '], "_");
    let found = plain(found);
    let allowed = (found.chars().count() / 3).max(1);
    let distance = |word: &str| strsim::damerau_levenshtein(&found, &plain(word));
    let best = accepted.iter().min_by_key(|word| distance(word))?;
    if distance(best) <= allowed {
        return Some(best);
    }
    let synonym = SYNONYMS
        .iter()
        .find(|(other, _)| *other == found)
        .map(|(_, ours)| *ours);
    if let Some(ours) = accepted.iter().find(|word| synonym == Some(word.as_str())) {
        return Some(ours);
    }
    let within = |word: &&String| {
        let word = plain(word);
        let (short, long) = if word.len() < found.len() {
            (&word, &found)
        } else {
            (&found, &word)
        };
        short.len() >= 3 && long.contains(short.as_str())
    };
    accepted.iter().find(within).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &str) -> Option<&'static str> {
        let words = [
            "depth",
            "residual",
            "width",
            "batch_norm",
            "lr",
            "weight_decay",
        ];
        let accepted = words.map(str::to_owned);
        let best = nearest(found, &accepted)?;
        words.into_iter().find(|word| *word == best)
    }

    #[test]
    fn slips_are_recognised() {
        assert_eq!(near("detph"), Some("depth"));
        assert_eq!(near("batchnorm"), Some("batch_norm"));
        assert_eq!(near("batch-norm"), Some("batch_norm"));
        assert_eq!(near("Residual"), Some("residual"));
        assert_eq!(near("decay"), Some("weight_decay"));
        assert_eq!(near("learning_rate"), Some("lr"));
    }

    #[test]
    fn other_words_are_not() {
        assert_eq!(near("colour"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near(""), None);
    }
}
