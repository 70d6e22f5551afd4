//! The located tree of `sweep:` → the tree of operators, every mistake at its place.

use super::random::{Distribution, Kind, Random};
use super::{Axis, Exclusion, Sweep};
use crate::file::written::{SECTIONS, unknown};
use crate::file::{Key, Mistake, Node, Path, Value, scalar};

const OPERATORS: [&str; 7] = [
    "grid", "zip", "list", "random", "product", "union", "exclude",
];
const KINDS: [&str; 4] = ["uniform", "log_uniform", "integer", "choice"];

impl Sweep {
    /// Reads what stands under `sweep:`, or a part of it.
    pub fn read(node: &Node) -> Result<Self, Mistake> {
        if let Value::Sequence(parts) = &node.value {
            return Self::union(node, parts);
        }
        let mut parts = Vec::new();
        let mut exclusions = Vec::new();
        for (key, value) in node.entries("a mapping of sweep operators")? {
            match key.text.as_str() {
                "grid" => parts.push(Self::Grid(axes(value)?)),
                "zip" => parts.push(Self::zip(value)?),
                "list" => parts.push(Self::list(value)?),
                "random" => parts.push(Self::Random(random(key, value)?)),
                "product" => parts.push(Self::product(value)?),
                "union" => parts.push(Self::union(value, value.items("a list of sweeps")?)?),
                "exclude" => exclusions = exclude(value)?,
                _ => return Err(unknown_operator(key)),
            }
        }
        Self::check_disjoint(&parts)?;
        let sweep = match parts.len() {
            1 => parts.remove(0),
            _ => Self::Product(parts),
        };
        if exclusions.is_empty() {
            return Ok(sweep);
        }
        Ok(Self::Except(Box::new(sweep), exclusions))
    }

    fn zip(node: &Node) -> Result<Self, Mistake> {
        let axes = axes(node)?;
        if let Some(first) = axes.first()
            && let Some(other) = axes.iter().find(|a| a.values.len() != first.values.len())
        {
            let message = format!(
                "`zip` pairs values, but `{}` has {} and `{}` has {}",
                first.path,
                first.values.len(),
                other.path,
                other.values.len()
            );
            return Err(Mistake::new(other.path.at, message)
                .advise("lists of one length, or `grid` for every combination"));
        }
        Ok(Self::Zip(axes))
    }

    fn list(node: &Node) -> Result<Self, Mistake> {
        let entries = node.items("a list of mappings, one for each setting")?;
        if entries.is_empty() {
            return Err(Mistake::new(
                node.at,
                "`list` is empty, so nothing would run",
            ));
        }
        entries
            .iter()
            .map(settings)
            .collect::<Result<_, _>>()
            .map(Self::List)
    }

    fn product(node: &Node) -> Result<Self, Mistake> {
        let parts = node.items("a list of sweeps")?;
        let parts = parts
            .iter()
            .map(Self::read)
            .collect::<Result<Vec<_>, _>>()?;
        Self::check_disjoint(&parts)?;
        Ok(Self::Product(parts))
    }

    fn union(node: &Node, parts: &[Node]) -> Result<Self, Mistake> {
        if parts.is_empty() {
            return Err(Mistake::new(
                node.at,
                "this list of sweeps is empty, so nothing would run",
            ));
        }
        parts
            .iter()
            .map(Self::read)
            .collect::<Result<_, _>>()
            .map(Self::Union)
    }
}

fn unknown_operator(key: &Key) -> Mistake {
    let mistake = unknown(key, &OPERATORS, "the sweep");
    if key.text.contains('.') || SECTIONS.contains(&key.text.as_str()) {
        return Mistake {
            suggestion: None,
            ..mistake
        }
        .advise("settings stand under an operator, such as `grid:`");
    }
    mistake
}

/// A path to a setting of a run.
fn path(key: &Key) -> Result<Path, Mistake> {
    let path = Path::read(&key.text, key.at)?;
    let first = &path.keys[0];
    if SECTIONS.contains(&first.text.as_str()) {
        return Ok(path);
    }
    let message = format!("`{path}` is no setting of a run");
    let mistake = Mistake::new(first.at, message);
    if first.text == "seed" || first.text == "seeds" {
        return Err(mistake.advise("seeds are an axis of their own: `seeds: 3` beside `sweep:`"));
    }
    Err(mistake.accept(&first.text, SECTIONS.map(|section| format!("{section}.…"))))
}

fn axes(node: &Node) -> Result<Vec<Axis>, Mistake> {
    let mut axes: Vec<Axis> = Vec::new();
    for (key, values) in node.entries("a mapping from settings to lists of values")? {
        let path = path(key)?;
        let items = values.items(&format!("a list of values for `{path}`"))?;
        if items.is_empty() {
            let message = format!("`{path}` has no values, so nothing would run");
            return Err(Mistake::new(values.at, message));
        }
        if let Some(other) = axes
            .iter()
            .find(|a| a.path.contains(&path) || path.contains(&a.path))
        {
            let message = format!("`{path}` and `{}` set the same thing", other.path);
            return Err(Mistake::new(path.at, message));
        }
        axes.push(Axis {
            path,
            values: items.to_vec(),
        });
    }
    Ok(axes)
}

fn settings(node: &Node) -> Result<Vec<(Path, Node)>, Mistake> {
    let entries = node.entries("a mapping from settings to values")?;
    entries
        .iter()
        .map(|(key, value)| Ok((path(key)?, value.clone())))
        .collect()
}

/// Exclusions may name the seed as well.
fn exclude(node: &Node) -> Result<Vec<Exclusion>, Mistake> {
    let mut exclusions = Vec::new();
    for item in node.items("a list of mappings, one for each combination to leave out")? {
        let entries = item.entries("a mapping from settings to values")?;
        if entries.is_empty() {
            return Err(Mistake::new(item.at, "this would leave out every run"));
        }
        let pair = |(key, value): &(Key, Node)| {
            let path = if key.text == "seed" {
                Path::read("seed", key.at)
            } else {
                path(key)
            };
            Ok((path?, value.clone()))
        };
        let values = entries.iter().map(pair).collect::<Result<_, Mistake>>()?;
        exclusions.push(Exclusion {
            values,
            at: item.at,
        });
    }
    Ok(exclusions)
}

fn random(own: &Key, node: &Node) -> Result<Random, Mistake> {
    let mut random = Random {
        count: 0,
        seed: 0,
        axes: Vec::new(),
    };
    for (key, value) in node.entries("a mapping with `count`, `seed` and distributions")? {
        match key.text.as_str() {
            "count" => random.count = whole(value, 1, super::MAX_RUNS as i128)? as usize,
            "seed" => random.seed = whole(value, 0, u64::MAX.into())? as u64,
            _ if key.text.contains('.') => random.axes.push((path(key)?, distribution(value)?)),
            _ => {
                let accepted = [
                    "count".to_owned(),
                    "seed".to_owned(),
                    "a setting, such as `train.lr`".to_owned(),
                ];
                let message = format!("unknown key `{}` in `random`", key.text);
                return Err(Mistake::new(key.at, message).accept(&key.text, accepted));
            }
        }
    }
    if random.count == 0 {
        return Err(Mistake::new(own.at, "`random` needs a `count`"));
    }
    Ok(random)
}

fn distribution(node: &Node) -> Result<Distribution, Mistake> {
    let entries = node.entries("a distribution, such as `{uniform: [0, 1]}`")?;
    let [(key, value)] = entries else {
        let mistake = Mistake::new(node.at, "a distribution has exactly one kind");
        return Err(mistake.accept("", KINDS.map(str::to_owned)));
    };
    let kind = match key.text.as_str() {
        "uniform" => bounds(value).map(|(low, high)| Kind::Uniform(low, high)),
        "log_uniform" => log_bounds(value),
        "integer" => integers(value),
        "choice" => choices(value),
        _ => Err(unknown(key, &KINDS, "a distribution")),
    }?;
    Ok(Distribution { kind, at: value.at })
}

fn whole(node: &Node, least: i128, most: i128) -> Result<i128, Mistake> {
    let value = node
        .text()
        .and_then(scalar::integer)
        .filter(|v| (least..=most).contains(v));
    value.ok_or_else(|| node.unexpected(&format!("a whole number from {least} to {most}")))
}

fn pair(node: &Node) -> Result<[&Node; 2], Mistake> {
    match node.items("two bounds, `[low, high]`")? {
        [low, high] => Ok([low, high]),
        items => {
            let message = format!(
                "expected two bounds, `[low, high]`, found {} items",
                items.len()
            );
            Err(Mistake::new(node.at, message))
        }
    }
}

fn bounds(node: &Node) -> Result<(f64, f64), Mistake> {
    let number = |node: &Node| {
        node.text()
            .and_then(scalar::number)
            .ok_or_else(|| node.unexpected("a number"))
    };
    let [low, high] = pair(node)?;
    let (low, high) = (number(low)?, number(high)?);
    if low >= high {
        return Err(Mistake::new(
            node.at,
            format!("the lower bound {low} must be below {high}"),
        ));
    }
    Ok((low, high))
}

fn log_bounds(node: &Node) -> Result<Kind, Mistake> {
    let (low, high) = bounds(node)?;
    if low <= 0.0 {
        let message = format!("`log_uniform` needs positive bounds, but the lower one is {low}");
        return Err(Mistake::new(node.at, message));
    }
    Ok(Kind::LogUniform(low, high))
}

fn integers(node: &Node) -> Result<Kind, Mistake> {
    let [low, high] = pair(node)?;
    let read = |node: &Node| whole(node, i64::MIN.into(), i64::MAX.into()).map(|v| v as i64);
    let (low, high) = (read(low)?, read(high)?);
    if low > high {
        return Err(Mistake::new(
            node.at,
            format!("the lower bound {low} is above {high}"),
        ));
    }
    Ok(Kind::Integer(low, high))
}

fn choices(node: &Node) -> Result<Kind, Mistake> {
    let values = node.items("a list to choose from")?;
    if values.is_empty() {
        return Err(Mistake::new(node.at, "`choice` has nothing to choose from"));
    }
    Ok(Kind::Choice(values.to_vec()))
}
