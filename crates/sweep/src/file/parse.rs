//! YAML text → located tree, within a budget of size, depth and repetition.

use std::collections::HashMap;

use serde_saphyr::budget::{EnforcingPolicy, check_yaml_budget};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_saphyr::{Budget, budget};

use super::node::{Key, Location, Mistake, Node, Value};

/// Levels of nesting.
const MAX_DEPTH: usize = 64;
/// Values, counting each use of an alias.
const MAX_NODES: usize = 250_000;

/// Reads one YAML document. `source` is the index of the text, `None` is an empty document.
pub fn parse(text: &str, source: usize) -> Result<Option<Node>, Mistake> {
    refuse_tabs(text, source)?;
    check_budget(text, source)?;
    let mut builder = Builder {
        source,
        text,
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut events = Parser::new_from_str(text);
    let mut root = None;
    while let Some((event, span)) = next(&mut events, source)? {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) => {}
            Event::DocumentEnd | Event::Comment(..) => {}
            _ if root.is_some() => {
                let at = builder.location(&span);
                return Err(Mistake::new(
                    at,
                    "an experiment file holds one YAML document, not two",
                ));
            }
            event => root = Some(builder.node(event, &span, &mut events, 0)?),
        }
    }
    Ok(root)
}

type Events<'t> = Parser<'t, serde_saphyr::granit_parser::StrInput<'t>>;

fn next<'t>(events: &mut Events<'t>, source: usize) -> Result<Option<(Event<'t>, Span)>, Mistake> {
    events
        .next()
        .transpose()
        .map_err(|error| scan_mistake(&error, source))
}

/// What the parser says, in its words, at its place.
fn scan_mistake(error: &ScanError, source: usize) -> Mistake {
    let mark = error.marker();
    let at = Location {
        source,
        line: mark.line().max(1),
        column: mark.col() + 1,
        length: 1,
    };
    Mistake::new(at, format!("this is not valid YAML: {}", error.info()))
}

/// Tabs as indentation: the parser's message would not say that the invisible tab is at fault.
fn refuse_tabs(text: &str, source: usize) -> Result<(), Mistake> {
    for (index, line) in text.lines().enumerate() {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        let only_comment = line[blank..].is_empty() || line[blank..].starts_with('#');
        if let Some(tab) = line[..blank].find('\t')
            && !only_comment
        {
            let at = Location {
                source,
                line: index + 1,
                column: tab + 1,
                length: 1,
            };
            let mistake = Mistake::new(at, "a tab cannot indent YAML");
            return Err(mistake.advise("use spaces"));
        }
    }
    Ok(())
}

/// Refuses texts that would unfold to something enormous.
fn check_budget(text: &str, source: usize) -> Result<(), Mistake> {
    let mut limits = Budget::default();
    limits.max_depth = MAX_DEPTH;
    limits.max_nodes = MAX_NODES;
    let report = check_yaml_budget(text, limits, EnforcingPolicy::AllContent)
        .map_err(|error| scan_mistake(&error, source))?;
    match report.breached {
        None => Ok(()),
        Some(budget::BudgetBreach::Depth { .. }) => Err(too_deep(Location::start(source))),
        Some(breach) => {
            let message = format!("this is too large for an experiment file: {breach:?}");
            Err(Mistake::new(Location::start(source), message))
        }
    }
}

fn too_deep(at: Location) -> Mistake {
    Mistake::new(
        at,
        format!("this is nested more than {MAX_DEPTH} levels deep"),
    )
}

struct Builder<'t> {
    source: usize,
    text: &'t str,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Builder<'t> {
    fn location(&self, span: &Span) -> Location {
        let (start, end) = (span.start, span.end);
        let line_end = || {
            let line = self
                .text
                .lines()
                .nth(start.line().saturating_sub(1))
                .unwrap_or("");
            line.trim_end().chars().count()
        };
        let end_column = if end.line() == start.line() {
            end.col()
        } else {
            line_end()
        };
        Location {
            source: self.source,
            line: start.line().max(1),
            column: start.col() + 1,
            length: end_column.saturating_sub(start.col()).max(1),
        }
    }

    fn count(&mut self, nodes: usize, at: Location) -> Result<(), Mistake> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(Mistake::new(
                at,
                "the aliases of this file unfold to something enormous",
            ));
        }
        Ok(())
    }

    /// The node that begins with `event`.
    fn node(
        &mut self,
        event: Event<'t>,
        span: &Span,
        events: &mut Events<'t>,
        depth: usize,
    ) -> Result<Node, Mistake> {
        let at = self.location(span);
        self.count(1, at)?;
        if depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        if let Some(tag) = event.tag() {
            let message = format!("YAML tags such as `{}` mean nothing here", tag.original());
            return Err(Mistake::new(at, message).advise("leave the tag out"));
        }
        let anchor = event.anchor_id();
        let value = match event {
            Event::Alias(id) => return self.alias(id, at),
            Event::Scalar(text, style, ..) => Value::Scalar {
                text: text.into_owned(),
                plain: style == ScalarStyle::Plain,
            },
            Event::SequenceStart(..) => Value::Sequence(self.sequence(at, events, depth)?),
            Event::MappingStart(..) => Value::Mapping(self.mapping(at, events, depth)?),
            _ => return Err(Mistake::new(at, "a value is missing here")),
        };
        let node = Node { value, at };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, at: Location) -> Result<Node, Mistake> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(Mistake::new(
                at,
                "this alias stands inside the value it names",
            ));
        };
        self.count(size(&node), at)?;
        Ok(node)
    }

    fn sequence(
        &mut self,
        at: Location,
        events: &mut Events<'t>,
        depth: usize,
    ) -> Result<Vec<Node>, Mistake> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.expect(events, at)?;
            match event {
                Event::SequenceEnd => return Ok(items),
                Event::Comment(..) => {}
                event => items.push(self.node(event, &span, events, depth + 1)?),
            }
        }
    }

    fn mapping(
        &mut self,
        at: Location,
        events: &mut Events<'t>,
        depth: usize,
    ) -> Result<Vec<(Key, Node)>, Mistake> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, span) = self.expect(events, at)?;
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Comment(..) => continue,
                event => self.key(event, &span, events, depth)?,
            };
            if let Some((first, _)) = entries.iter().find(|(k, _)| k.text == key.text) {
                let message = format!(
                    "the key `{}` stands here twice: first in line {}",
                    key.text, first.at.line
                );
                return Err(Mistake::new(key.at, message));
            }
            let value = loop {
                let (event, span) = self.expect(events, key.at)?;
                if !matches!(event, Event::Comment(..)) {
                    break self.node(event, &span, events, depth + 1)?;
                }
            };
            entries.push((key, value));
        }
    }

    fn key(
        &mut self,
        event: Event<'t>,
        span: &Span,
        events: &mut Events<'t>,
        depth: usize,
    ) -> Result<Key, Mistake> {
        let node = self.node(event, span, events, depth + 1)?;
        match node.value {
            Value::Scalar { text, .. } => Ok(Key { text, at: node.at }),
            _ => Err(Mistake::new(node.at, "a key must be a word")),
        }
    }

    fn expect(
        &mut self,
        events: &mut Events<'t>,
        at: Location,
    ) -> Result<(Event<'t>, Span), Mistake> {
        next(events, self.source)?
            .ok_or_else(|| Mistake::new(at, "the file ends inside this value"))
    }
}

/// Nodes in a tree.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::Sequence(items) => items.iter().map(size).sum(),
        Value::Mapping(entries) => entries.iter().map(|(_, value)| 1 + size(value)).sum(),
    }
}
