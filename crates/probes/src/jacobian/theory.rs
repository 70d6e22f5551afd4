//! The tables `jacobian_theory` and `jacobian_density`: products of blocks beside their laws.

use reslab_results::{Cell, Table, TableError, schema};

use super::free_probability::comparison::{compare, reaches_zero, support};
use super::free_probability::{Law, Prediction, Spectrum, predict};
use crate::subject::Subject;

/// A product of blocks whose singular values are known.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// Index of the sample; `None` for a whole batch.
    pub sample: Option<usize>,
    /// The end it grows from.
    pub grow: &'static str,
    /// The first of its blocks, and the one after the last.
    pub blocks: (usize, usize),
    /// ln σ of those that are not 0.
    pub ln_sigmas: &'a [f64],
    /// Singular values, zeros among them.
    pub count: usize,
    /// Sum over its blocks of the mean square singular value of ∂F/∂h.
    pub branch_square: Option<f64>,
    /// Mean square of what goes into its first block.
    pub length: f64,
}

/// The tables as they fill.
pub struct TheoryTables<'a> {
    subject: &'a Subject<'a>,
    theory: Table,
    density: Table,
}

/// Bins over the support of a law, and beyond it at either side.
const BINS: usize = 50;
const BEYOND: usize = 5;
/// Most singular values outside the bins that are kept, at either side.
const OUTSIDE: usize = 32;

impl<'a> TheoryTables<'a> {
    /// Empty ones.
    pub fn new(subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            theory: Table::new(schema::jacobian_theory()),
            density: Table::new(schema::jacobian_density()),
        }
    }

    /// `jacobian_theory` and `jacobian_density`.
    pub fn finish(self) -> [Table; 2] {
        [self.theory, self.density]
    }

    /// A product beside every law it has, or the reason why it has none. Of a batch that batch norm
    /// ties together there is nothing to say.
    pub fn add(&mut self, product: &Product<'_>) -> Result<(), TableError> {
        let at = (self.subject.network, self.subject.parameters);
        let range = product.blocks.0..product.blocks.1;
        let Some(sample) = product.sample else {
            return Ok(());
        };
        match predict(at, range, product.length) {
            Ok(Prediction { laws, caveat }) => {
                let mut ln_sigmas = product.ln_sigmas.to_vec();
                ln_sigmas.resize(product.count, f64::NEG_INFINITY);
                for law in &laws {
                    let spectrum = law.spectrum();
                    let head = self.head(product, sample, Some(law));
                    let cells = compared(product, (law, &spectrum), &ln_sigmas);
                    let note = (!caveat.is_empty()).then_some(caveat);
                    let note = note.map_or(Cell::Null, Cell::from);
                    push(
                        &mut self.theory,
                        head.iter().chain(&cells).chain(&[("note", note)]),
                    )?;
                    self.bins(&head, &spectrum, &ln_sigmas)?;
                }
                Ok(())
            }
            Err(reason) => {
                let head = self.head(product, sample, None);
                let cells = [("note", reason.into()), ("count", product.count.into())];
                push(&mut self.theory, head.iter().chain(&cells))
            }
        }
    }

    fn head(&self, product: &Product<'_>, sample: usize, law: Option<&Law>) -> Vec<Named> {
        let (first, end) = product.blocks;
        vec![
            ("run_id", self.subject.run_id.into()),
            ("epoch", self.subject.epoch.into()),
            ("sample", sample.into()),
            ("grow", product.grow.into()),
            ("first", first.into()),
            ("last", (end - 1).into()),
            ("blocks", (end - first).into()),
            ("law", law.map_or(Cell::Null, |law| law.name().into())),
        ]
    }

    fn bins(
        &mut self,
        head: &[Named],
        law: &Spectrum,
        ln_sigmas: &[f64],
    ) -> Result<(), TableError> {
        let (low, high) = support(law);
        let width = (high - low) / BINS as f64;
        let start = low - BEYOND as f64 * width;
        let count = BINS + 2 * BEYOND;
        let end = start + count as f64 * width;
        let mut counts = vec![0_usize; count];
        let mut outside: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        for &x in ln_sigmas.iter().filter(|x| x.is_finite()) {
            if x >= end {
                outside[1].push(x);
            } else if x >= start {
                counts[(((x - start) / width) as usize).min(count - 1)] += 1;
            } else if !reaches_zero(law) {
                outside[0].push(x);
            }
        }
        for (bin, n) in counts.iter().enumerate() {
            let middle = start + (bin as f64 + 0.5) * width;
            let measured = *n as f64 / (ln_sigmas.len() as f64 * width);
            let cells = [
                ("kind", "bin".into()),
                ("log_sigma", middle.into()),
                ("width", width.into()),
                ("measured", measured.into()),
                ("predicted", law.density(middle).into()),
            ];
            push(&mut self.density, head.iter().chain(&cells))?;
        }
        // The farthest first.
        outside[0].sort_by(f64::total_cmp);
        outside[1].sort_by(|a, b| b.total_cmp(a));
        for x in outside.iter().flat_map(|side| side.iter().take(OUTSIDE)) {
            let cells = [("kind", "outlier".into()), ("log_sigma", (*x).into())];
            push(&mut self.density, head.iter().chain(&cells))?;
        }
        Ok(())
    }
}

type Named = (&'static str, Cell);

/// Adds a row; columns that are not named are null.
fn push<'c>(table: &mut Table, cells: impl Iterator<Item = &'c Named>) -> Result<(), TableError> {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.index(name)?] = cell.clone();
    }
    table.push(row)
}

fn compared(
    product: &Product<'_>,
    (law, spectrum): (&Law, &Spectrum),
    ln_sigmas: &[f64],
) -> Vec<Named> {
    let found = compare(law, spectrum, ln_sigmas);
    let c = match law {
        Law::ManyBlocks { c } => Some(*c),
        Law::Blocks { variances } => Some(variances.iter().sum()),
        Law::Plain(_) => None,
    };
    let zeros = 1.0 - product.ln_sigmas.len() as f64 / product.count as f64;
    let [q05, q25, q50, q75, q95] = found.quantiles;
    vec![
        ("c", c.into()),
        ("c_measured", c.and(product.branch_square).into()),
        ("count", product.count.into()),
        ("distance", found.distance.into()),
        ("edge_low_predicted", found.edges.0.into()),
        ("edge_low_measured", found.measured_edges.0.into()),
        ("edge_high_predicted", found.edges.1.into()),
        ("edge_high_measured", found.measured_edges.1.into()),
        ("outliers_low", found.outliers_below.into()),
        ("outliers_high", found.outliers_above.into()),
        ("square_predicted", found.mean_square.into()),
        ("square_measured", found.measured_mean_square.into()),
        ("square_trimmed", found.trimmed_mean_square.into()),
        ("zeros_predicted", spectrum.zeros().into()),
        ("zeros_measured", zeros.into()),
        ("q05_predicted", q05.0.into()),
        ("q05_measured", q05.1.into()),
        ("q25_predicted", q25.0.into()),
        ("q25_measured", q25.1.into()),
        ("q50_predicted", q50.0.into()),
        ("q50_measured", q50.1.into()),
        ("q75_predicted", q75.0.into()),
        ("q75_measured", q75.1.into()),
        ("q95_predicted", q95.0.into()),
        ("q95_measured", q95.1.into()),
        ("deviation", found.deviation.into()),
    ]
}
