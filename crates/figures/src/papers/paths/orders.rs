//! The gradient term by term: what Veit, Wilber, Belongie 2016 do not show.

use reslab_results::Table;

use super::{
    EXACT, PANEL, Profiles, against_length, column, decades, extent, length_axis, line, marks,
    single, title, with_name,
};
use crate::axes::Axis;
use crate::plots::{Figure, Panel};
use crate::scene::Shape;
use crate::theme;

/// Norm, cosine and cumulated share of the term of each order.
pub(super) fn figure(run: &Profiles) -> Result<Figure, String> {
    let relative = |table: &Table| {
        against_length(table, |row| {
            Some(row.real("order_norm")? / row.real("gradient_norm")?)
        })
    };
    let norms: Vec<(f64, f64)> = run.epochs.iter().flat_map(|(_, t)| relative(t)).collect();
    let Some(extent) = extent(&norms) else {
        return Err("no path carries a gradient".into());
    };
    let shares = run
        .epochs
        .iter()
        .flat_map(|(_, table)| column(table, "order_share_cumulative"));
    let (low, high) = shares.fold((0.0f64, 1.0f64), |(l, h), p| (l.min(p.1), h.max(p.1)));
    let room = 0.06 * (high - low);
    let mut rows = vec![Vec::new(), Vec::new(), Vec::new()];
    for (epoch, table) in &run.epochs {
        let mut cell = |row: usize, y: Axis, values: Vec<(f64, f64)>, reference: Option<f64>| {
            let n = (table.len() - 1) as f64;
            let level = reference.map(|level| vec![(0.0, level), (n, level)]);
            rows[row].push(Panel {
                title: if row == 0 {
                    title(run, *epoch)
                } else {
                    String::new()
                },
                x: length_axis(run, row == 2),
                y,
                layers: vec![
                    line(level.unwrap_or_default(), theme::QUIET, true),
                    line(values.clone(), EXACT, false),
                    marks(values, EXACT, Shape::Square),
                ],
            });
        };
        let norm = decades("(a) Norm / gradient's", extent, 12);
        cell(0, norm, relative(table), None);
        let cosine = Axis::linear("(b) Cosine with gradient", -1.0, 1.0);
        cell(1, cosine, column(table, "order_cosine"), Some(0.0));
        let share = Axis::percent("(c) Share, summed (%)", low - room, high + room);
        cell(2, share, column(table, "order_share_cumulative"), Some(1.0));
    }
    let notes = vec![
        "The term of order k is the sum of all paths of length k, exact; all terms add up to the \
         gradient at the first block's input."
            .into(),
        "(a) Dots at the frame lie beyond it. (c) Projection on the gradient of all terms up to k: \
         it ends at all of it."
            .into(),
    ];
    Ok(Figure {
        title: with_name(
            "The gradient, term by term: norm, cosine and share of each order",
            run,
        ),
        rows,
        panel_size: if single(run) { (300.0, 150.0) } else { PANEL },
        legend: Vec::new(),
        notes,
    })
}
