//! An experiment as written: its parts told apart, its settings not yet read.

use super::node::{Key, Mistake, Node, Value};
use super::scalar;
use crate::expand::Sweep;

/// Sections of settings, in the order of the tables' columns.
pub const SECTIONS: [&str; 6] = ["data", "model", "init", "train", "measure", "probes"];
/// Keys of a file.
const KEYS: [&str; 11] = [
    "name", "about", "data", "model", "init", "train", "measure", "probes", "seeds", "sweep",
    "verdict",
];
/// Keys of `about`.
const ABOUT: [&str; 5] = ["title", "claim", "source", "expect", "cost"];
/// Claims that can be judged.
pub const VERDICTS: [&str; 4] = ["degradation", "transfer", "variants", "learning-rate"];
/// Most seeds in a file.
const MAX_SEEDS: i128 = 10_000;

/// The parts of an experiment file.
#[derive(Debug, Clone)]
pub struct Written {
    /// Name of the experiment and of its folder.
    pub name: String,
    /// What is told about it, in the order written.
    pub about: Vec<(String, String)>,
    /// The claim judged at the end.
    pub verdict: Option<String>,
    /// The sections of settings.
    pub base: Node,
    /// The seeds, in the order of the runs.
    pub seeds: Vec<u64>,
    /// What varies.
    pub sweep: Sweep,
}

/// Tells the parts of a file apart.
pub fn read(root: &Node) -> Result<Written, Mistake> {
    let mut base = Vec::new();
    for (key, node) in root.entries("a mapping with the keys of an experiment")? {
        if SECTIONS.contains(&key.text.as_str()) {
            base.push((key.clone(), node.clone()));
        } else if !KEYS.contains(&key.text.as_str()) {
            return Err(unknown(key, &KEYS, "the experiment file"));
        }
    }
    Ok(Written {
        name: name(root)?,
        about: root.get("about").map_or(Ok(Vec::new()), about)?,
        verdict: root.get("verdict").map_or(Ok(None), verdict)?,
        base: Node {
            value: Value::Mapping(base),
            at: root.at,
        },
        seeds: root.get("seeds").map_or(Ok(vec![0]), seeds)?,
        sweep: root
            .get("sweep")
            .map_or(Ok(Sweep::nothing()), Sweep::read)?,
    })
}

/// The mistake of a key that nobody knows.
pub fn unknown(key: &Key, accepted: &[&str], place: &str) -> Mistake {
    Mistake::new(key.at, format!("unknown key `{}` in {place}", key.text))
        .accept(&key.text, accepted.iter().map(|word| (*word).to_owned()))
}

fn name(root: &Node) -> Result<String, Mistake> {
    let Some(node) = root.get("name") else {
        let mistake = Mistake::new(root.at.part(0, 1), "the key `name` is missing");
        return Err(mistake.advise("results go to a folder of this name"));
    };
    let text = node.text().unwrap_or("");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || text.len() > 80 || !text.chars().all(allowed) || text == "reference" {
        let mistake = node.unexpected("a name");
        return Err(Mistake {
            message: format!("`name`: {}", mistake.message),
            ..mistake
        }
        .advise("letters, digits, `-`, `_` and `.`; it names a folder (`reference` is taken)"));
    }
    Ok(text.to_owned())
}

fn about(node: &Node) -> Result<Vec<(String, String)>, Mistake> {
    let mut told = Vec::new();
    for (key, value) in node.entries("a mapping of texts")? {
        if !ABOUT.contains(&key.text.as_str()) {
            return Err(unknown(key, &ABOUT, "`about`"));
        }
        let text = value.text().ok_or_else(|| value.unexpected("a text"))?;
        told.push((key.text.clone(), text.trim().to_owned()));
    }
    Ok(told)
}

fn verdict(node: &Node) -> Result<Option<String>, Mistake> {
    if node.is_null() {
        return Ok(None);
    }
    let text = node
        .text()
        .ok_or_else(|| node.unexpected("the name of a claim"))?;
    if VERDICTS.contains(&text) {
        return Ok(Some(text.to_owned()));
    }
    let mistake = Mistake::new(node.at, format!("`verdict`: no claim is called `{text}`"));
    Err(mistake.accept(text, VERDICTS.map(str::to_owned)))
}

/// `seeds: 3` means 0, 1, 2; a list means itself.
fn seeds(node: &Node) -> Result<Vec<u64>, Mistake> {
    let wanted = "how many seeds, or a list of them";
    if let Value::Sequence(items) = &node.value {
        let mut seeds = Vec::new();
        for item in items {
            let seed = seed(item)?;
            if seeds.contains(&seed) {
                return Err(Mistake::new(
                    item.at,
                    format!("the seed {seed} stands here twice"),
                ));
            }
            seeds.push(seed);
        }
        if seeds.is_empty() {
            return Err(Mistake::new(
                node.at,
                "`seeds`: the list is empty, so nothing would run",
            ));
        }
        return Ok(seeds);
    }
    let count = node.text().and_then(scalar::integer);
    match count.ok_or_else(|| node.unexpected(wanted))? {
        count @ 1..=MAX_SEEDS => Ok((0..count as u64).collect()),
        _ => Err(Mistake::new(
            node.at,
            format!("`seeds`: give a number from 1 to {MAX_SEEDS}"),
        )),
    }
}

fn seed(node: &Node) -> Result<u64, Mistake> {
    // Seeds stand in tables as signed integers of 64 bits.
    let value = node.text().and_then(scalar::integer);
    let fits = value
        .and_then(|v| u64::try_from(v).ok())
        .filter(|&v| v <= i64::MAX as u64);
    fits.ok_or_else(|| node.unexpected("a seed, a whole number from 0"))
}
