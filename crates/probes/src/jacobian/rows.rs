//! The tables, row by row.

use reslab_results::{Cell, Table, TableError, schema};

use super::settings::End;
use super::spectrum::{Spectrum, Summary, even};
use super::split::Split;
use super::theory::{Product, TheoryTables};
use crate::subject::Subject;
use reslab_dense::Complex;

/// What a row is about.
#[derive(Debug, Clone)]
pub struct Object {
    /// Index of the sample; `None` for a whole batch.
    pub sample: Option<usize>,
    /// `branch`, `sum`, `block`, `product`.
    pub kind: &'static str,
    /// The end a product grows from.
    pub grow: Option<End>,
    /// The first of the blocks, and the one after the last.
    pub blocks: (usize, usize),
    /// Numbers that go in and come out.
    pub dimensions: (usize, usize),
}

/// How a spectrum was found without writing the map down.
#[derive(Debug, Clone, Copy)]
pub struct Approximation {
    /// Lanczos steps from each start.
    pub steps: usize,
    /// Starts.
    pub starts: usize,
    /// Standard error of the mean of ln σ over the starts.
    pub log_mean_se: f64,
    /// Residual of the largest singular value, divided by it.
    pub residual_max: f64,
    /// The same of the smallest.
    pub residual_min: f64,
}

/// Everything found about an object.
pub struct Found {
    pub spectrum: Spectrum,
    pub approximation: Option<Approximation>,
    pub branch_square: Option<f64>,
    pub split: Option<Split>,
}

/// The tables as they fill.
pub struct Tables<'a> {
    subject: &'a Subject<'a>,
    most: usize,
    summaries: Table,
    values: Table,
    exponents: Table,
    theory: TheoryTables<'a>,
}

impl<'a> Tables<'a> {
    /// Empty ones that keep at most so many values of a spectrum.
    pub fn new(subject: &'a Subject<'a>, most: usize) -> Self {
        Self {
            subject,
            most,
            summaries: Table::new(schema::jacobian()),
            values: Table::new(schema::jacobian_values()),
            exponents: Table::new(schema::jacobian_exponents()),
            theory: TheoryTables::new(subject),
        }
    }

    /// `jacobian`, `jacobian_values`, `jacobian_exponents`, `jacobian_theory`, `jacobian_density`.
    pub fn finish(self) -> Vec<Table> {
        let [theory, density] = self.theory.finish();
        vec![self.summaries, self.values, self.exponents, theory, density]
    }

    /// A product beside its laws.
    pub fn theory(&mut self, product: &Product<'_>) -> Result<(), TableError> {
        self.theory.add(product)
    }

    /// A spectrum: its summary and its values.
    pub fn spectrum(&mut self, object: &Object, found: &Found) -> Result<(), TableError> {
        let summary = found.spectrum.summary();
        let real = |part: fn(&Summary) -> f64| Cell::from(summary.as_ref().map(part));
        let block = match object.kind {
            "product" => None,
            _ => self.subject.network.blocks.get(object.blocks.0),
        };
        let near = found.approximation;
        let lanczos = |part: fn(&Approximation) -> f64| Cell::from(near.as_ref().map(part));
        let split = found.split;
        let order = |k: usize, part: fn((f64, f64)) -> f64| {
            let orders = split.and_then(|split| split.orders);
            Cell::from(orders.map(|orders| part(orders[k])))
        };
        self.summaries.push_named([
            ("run_id", self.subject.run_id.into()),
            ("epoch", self.subject.epoch.into()),
            ("sample", object.sample.into()),
            ("kind", object.kind.into()),
            ("method", method(found).into()),
            ("grow", grow(object)),
            ("first", object.blocks.0.into()),
            ("last", (object.blocks.1 - 1).into()),
            ("blocks", (object.blocks.1 - object.blocks.0).into()),
            (
                "name",
                block.map_or(Cell::Null, |block| block.name.as_str().into()),
            ),
            ("stage", block.map(|block| block.stage).into()),
            ("inputs", object.dimensions.0.into()),
            ("outputs", object.dimensions.1.into()),
            ("count", found.spectrum.count.into()),
            ("rank", found.spectrum.rank.into()),
            ("log_max", real(|s| s.log_max)),
            ("log_min", real(|s| s.log_min)),
            ("log_mean", real(|s| s.log_mean)),
            ("log_deviation", real(|s| s.log_deviation)),
            ("log_q05", real(|s| s.log_quantiles[0])),
            ("log_q50", real(|s| s.log_quantiles[1])),
            ("log_q95", real(|s| s.log_quantiles[2])),
            ("log_rms", real(|s| s.log_rms)),
            ("log_condition", real(|s| s.log_max - s.log_min)),
            ("effective_rank", real(|s| s.effective_rank)),
            (
                "share_near_one",
                summary.map_or(0.0, |s| s.share_near_one).into(),
            ),
            ("branch_square", found.branch_square.into()),
            ("log_mean_se", lanczos(|a| a.log_mean_se)),
            ("residual_max", lanczos(|a| a.residual_max)),
            ("residual_min", lanczos(|a| a.residual_min)),
            ("steps", near.map(|a| a.steps).into()),
            ("starts", near.map(|a| a.starts).into()),
            ("gradient_out", split.map(|s| s.out).into()),
            ("gradient_through", split.map(|s| s.through).into()),
            ("identity_norm", order(0, |o| o.0)),
            ("first_order_norm", order(1, |o| o.0)),
            ("higher_order_norm", order(2, |o| o.0)),
            ("identity_share", order(0, |o| o.1)),
            ("first_order_share", order(1, |o| o.1)),
            ("higher_order_share", order(2, |o| o.1)),
        ])?;
        for kept in found.spectrum.kept(self.most) {
            let place = (kept.rank, found.spectrum.count);
            let cells = [
                ("log_sigma", kept.log.into()),
                ("log_sigma_se", kept.log_error.into()),
            ];
            self.value(object, "singular", place, cells)?;
        }
        Ok(())
    }

    /// Eigenvalues, by real part; conjugate pairs are kept or left out together.
    pub fn eigenvalues(&mut self, object: &Object, found: &[Complex]) -> Result<(), TableError> {
        for rank in even_pairs(found, self.most) {
            let Complex { re, im } = found[rank];
            let cells = [("re", re.into()), ("im", im.into())];
            self.value(object, "eigen", (rank, found.len()), cells)?;
        }
        Ok(())
    }

    fn value<const N: usize>(
        &mut self,
        object: &Object,
        what: &str,
        (rank, count): (usize, usize),
        cells: [(&str, Cell); N],
    ) -> Result<(), TableError> {
        let mut row = vec![Cell::Null; self.values.schema.columns.len()];
        let head = [
            ("run_id", Cell::from(self.subject.run_id)),
            ("epoch", self.subject.epoch.into()),
            ("sample", object.sample.into()),
            ("kind", object.kind.into()),
            ("grow", grow(object)),
            ("first", object.blocks.0.into()),
            ("last", (object.blocks.1 - 1).into()),
            ("blocks", (object.blocks.1 - object.blocks.0).into()),
            ("what", what.into()),
            ("rank", rank.into()),
            ("count", count.into()),
        ];
        for (name, cell) in head.into_iter().chain(cells) {
            row[self.values.index(name)?] = cell;
        }
        self.values.push(row)
    }

    /// Lyapunov exponents of a product: logarithms of the diagonal by QR, and of the singular
    /// values, each divided by the number of blocks.
    pub fn exponents(
        &mut self,
        object: &Object,
        diagonal: &[f64],
        sigma: &[f64],
        count: usize,
    ) -> Result<(), TableError> {
        let blocks = object.blocks.1 - object.blocks.0;
        for rank in even(diagonal.len(), self.most) {
            self.exponents.push_named([
                ("run_id", self.subject.run_id.into()),
                ("epoch", self.subject.epoch.into()),
                ("sample", object.sample.into()),
                ("grow", grow(object)),
                ("first", object.blocks.0.into()),
                ("last", (object.blocks.1 - 1).into()),
                ("blocks", blocks.into()),
                ("rank", rank.into()),
                ("count", count.into()),
                ("exponent_qr", (diagonal[rank] / blocks as f64).into()),
                ("exponent_sigma", (sigma[rank] / blocks as f64).into()),
            ])?;
        }
        Ok(())
    }
}

/// At most `most` ranks, or two where that is a pair, evenly, of numbers whose conjugates stand
/// beside them.
fn even_pairs(found: &[Complex], most: usize) -> Vec<usize> {
    let mut units: Vec<std::ops::Range<usize>> = Vec::new();
    let mut rank = 0;
    while rank < found.len() {
        let next = found.get(rank + 1);
        let paired = next.is_some_and(|next| {
            found[rank].im != 0.0 && next.re == found[rank].re && next.im == -found[rank].im
        });
        let end = rank + if paired { 2 } else { 1 };
        units.push(rank..end);
        rank = end;
    }
    let fitting = match found.len() <= most {
        true => units.len(),
        false => (units.len() * most / found.len()).max(1),
    };
    let kept = even(units.len(), fitting).into_iter();
    kept.flat_map(|unit| units[unit].clone()).collect()
}

fn method(found: &Found) -> &'static str {
    match found.approximation {
        Some(_) => "lanczos",
        None => "dense",
    }
}

fn grow(object: &Object) -> Cell {
    object.grow.map_or(Cell::Null, |end| end.name().into())
}
