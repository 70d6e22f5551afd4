//! One sample (or one batch) from beginning to end.

use rayon::prelude::*;
use reslab_nn::random::{self, Purpose};
use reslab_nn::reference::{Pass, Tensor};

use super::JacobianSettings;
use super::blocks::{Kind, Linearisation};
use super::matrix_free::{Operator, Ritz, golub_kahan};
use super::products::Growing;
use super::rows::{Approximation, Found, Object, Tables};
use super::settings::End;
use super::spectrum::Spectrum;
use super::split::split;
use super::theory::Product;
use crate::subject::ProbeError;
use reslab_dense::{self as dense, Complex, DenseError, Matrix};

/// Starts of Lanczos; the same for every map, so that maps can be compared.
const STARTS: u64 = u64::from_be_bytes(*b"jacobian");

/// A network linearised at one sample.
pub struct Study<'a> {
    pub settings: &'a JacobianSettings,
    pub at: &'a Linearisation,
    pub sample: Option<usize>,
    pub seed: u64,
    /// h₀ … h_L: what goes into each block, and what comes out of the last.
    pub between: Vec<Tensor<f64>>,
    /// A pass from the first block's input on.
    pub pass: &'a Pass<f64>,
    /// ∂L/∂h₀ … ∂L/∂h_L.
    pub gradients: Vec<Tensor<f64>>,
}

/// Called often; says when to stop.
pub type Tick<'t> = dyn FnMut() -> Result<(), ProbeError> + 't;

/// A dense map's spectrum, and its eigenvalues where they were wanted.
type Decomposed = (Kind, (usize, usize), Spectrum, Vec<Complex>);

impl Study<'_> {
    /// Measures blocks and products. `tick` is called between the steps.
    pub fn measure(&self, tables: &mut Tables<'_>, tick: &mut Tick<'_>) -> Result<(), ProbeError> {
        let range = self.settings.range(self.at.network.blocks.len());
        let lengths = self.settings.lengths(range.len());
        let dense = range.clone().all(|block| self.is_dense(block));
        let mut ends = self.settings.products.grow.clone();
        ends.dedup();
        for block in 0..self.at.network.blocks.len() {
            if !self.is_dense(block) && self.settings.wants(block) {
                self.wide_block(block, tables, tick)?;
            }
        }
        // Blocks are written down once for their own spectra and the products from the input.
        let mut growing = self.growing(End::Input, dense);
        for block in 0..self.at.network.blocks.len() {
            tick()?;
            let grows = growing.is_some() && range.contains(&block);
            let wanted = self.settings.wants(block) && self.is_dense(block);
            if !grows && !wanted {
                continue;
            }
            let maps = self.at.all(block, &self.between[block])?;
            if wanted {
                self.dense_block(block, &maps, tables)?;
            }
            if let (true, Some(growing)) = (grows, &mut growing) {
                growing.add(&maps)?;
                if lengths.contains(&growing.blocks.len()) {
                    self.dense_product(growing, tables)?;
                }
            }
        }
        if let Some(mut growing) = self.growing(End::Output, dense) {
            for block in range.clone().rev() {
                tick()?;
                growing.add(&self.at.all(block, &self.between[block])?)?;
                if lengths.contains(&growing.blocks.len()) {
                    self.dense_product(&growing, tables)?;
                }
            }
        }
        if !dense {
            for end in ends {
                for &length in &lengths {
                    let blocks = match end {
                        End::Input => (range.start, range.start + length),
                        End::Output => (range.end - length, range.end),
                    };
                    self.wide_product(end, blocks, tables, tick)?;
                }
            }
        }
        Ok(())
    }

    fn numbers(&self, place: usize) -> usize {
        self.between[place].len()
    }

    fn is_dense(&self, block: usize) -> bool {
        self.numbers(block).max(self.numbers(block + 1)) <= self.settings.dense
    }

    fn growing(&self, end: End, dense: bool) -> Option<Growing> {
        let asked = dense && self.settings.products.grow.contains(&end);
        let range = self.settings.range(self.at.network.blocks.len());
        let numbers = match end {
            End::Input => self.numbers(range.start),
            End::Output => self.numbers(range.end),
        };
        asked.then(|| Growing::new(end, &range, numbers))
    }

    fn block_object(&self, block: usize, kind: Kind) -> Object {
        Object {
            sample: self.sample,
            kind: kind.name(),
            grow: None,
            blocks: (block, block + 1),
            dimensions: (self.numbers(block), self.numbers(block + 1)),
        }
    }

    fn dense_block(
        &self,
        block: usize,
        maps: &[(Kind, Matrix)],
        tables: &mut Tables<'_>,
    ) -> Result<(), ProbeError> {
        let plain = maps.iter().all(|(kind, _)| *kind != Kind::Sum);
        let decomposed: Vec<Decomposed> = maps
            .par_iter()
            .map(|(kind, map)| {
                let shape = (map.rows(), map.columns());
                let spectrum = Spectrum::of_values(&dense::singular_values(map)?, shape);
                // The eigenvalues of I + ∂F are those of ∂F plus 1.
                let wanted = shape.0 == shape.1
                    && shape.0 <= self.settings.eigenvalues
                    && (*kind != Kind::Branch || plain);
                let eigenvalues = if wanted {
                    dense::eigenvalues(map)?
                } else {
                    Vec::new()
                };
                Ok((*kind, shape, spectrum, eigenvalues))
            })
            .collect::<Result<_, DenseError>>()?;
        for ((kind, _, spectrum, eigenvalues), (_, map)) in decomposed.into_iter().zip(maps) {
            let object = self.block_object(block, kind);
            let square = map.square() / map.columns() as f64;
            let found = Found {
                spectrum,
                approximation: None,
                branch_square: (kind == Kind::Branch).then_some(square),
                split: None,
            };
            tables.spectrum(&object, &found)?;
            tables.eigenvalues(&object, &eigenvalues)?;
        }
        Ok(())
    }

    fn dense_product(&self, growing: &Growing, tables: &mut Tables<'_>) -> Result<(), ProbeError> {
        let blocks = (growing.blocks.start, growing.blocks.end);
        let object = Object {
            sample: self.sample,
            kind: "product",
            grow: Some(growing.end),
            blocks,
            dimensions: growing.inputs_outputs(),
        };
        let sigma = growing.product.log_singular_values()?;
        let found = Found {
            spectrum: Spectrum::of_logs(&sigma, growing.count()),
            approximation: None,
            branch_square: growing.branch_square,
            split: Some(self.split(blocks)),
        };
        tables.spectrum(&object, &found)?;
        let input = &self.between[blocks.0];
        tables.theory(&Product {
            sample: self.sample,
            grow: growing.end.name(),
            blocks,
            ln_sigmas: &sigma,
            count: growing.count(),
            branch_square: growing.branch_square,
            length: input.iter().map(|x| x * x).sum::<f64>() / input.len() as f64,
        })?;
        let diagonal = growing.product.log_diagonal();
        Ok(tables.exponents(&object, &diagonal, &sigma, growing.count())?)
    }

    fn split(&self, (first, end): (usize, usize)) -> super::split::Split {
        let (gradient, through) = (&self.gradients[end], &self.gradients[first]);
        split(self.at, self.pass, (first, end), gradient, through)
    }

    fn wide_block(
        &self,
        block: usize,
        tables: &mut Tables<'_>,
        tick: &mut Tick<'_>,
    ) -> Result<(), ProbeError> {
        for kind in self.at.kinds(block) {
            let (spectrum, near) = self.lanczos((block, block + 1), kind, tick)?;
            let found = Found {
                spectrum,
                approximation: Some(near),
                branch_square: None,
                split: None,
            };
            tables.spectrum(&self.block_object(block, kind), &found)?;
        }
        Ok(())
    }

    fn wide_product(
        &self,
        end: End,
        blocks: (usize, usize),
        tables: &mut Tables<'_>,
        tick: &mut Tick<'_>,
    ) -> Result<(), ProbeError> {
        let (spectrum, near) = self.lanczos(blocks, Kind::Block, tick)?;
        let object = Object {
            sample: self.sample,
            kind: "product",
            grow: Some(end),
            blocks,
            dimensions: (self.numbers(blocks.0), self.numbers(blocks.1)),
        };
        let found = Found {
            spectrum,
            approximation: Some(near),
            branch_square: None,
            split: Some(self.split(blocks)),
        };
        Ok(tables.spectrum(&object, &found)?)
    }

    /// The spectrum of a map that is not written down.
    fn lanczos(
        &self,
        blocks: (usize, usize),
        kind: Kind,
        tick: &mut Tick<'_>,
    ) -> Result<(Spectrum, Approximation), ProbeError> {
        let input = &self.between[blocks.0];
        let pass = self.at.pass(blocks, kind, input)?;
        let apply = |v: &[f64]| self.at.apply(blocks, kind, input, v);
        let back = |u: &[f64]| Ok(self.at.apply_transposed(blocks, kind, &pass, u));
        let shape = (self.numbers(blocks.1), self.numbers(blocks.0));
        let operator = Operator {
            rows: shape.0,
            columns: shape.1,
            apply: &apply,
            apply_transposed: &back,
        };
        let lanczos = &self.settings.lanczos;
        let starts = 0..lanczos.starts as u64;
        let runs: Vec<Ritz> = starts
            .map(|start| {
                let mut rng = random::stream(self.seed, Purpose::Probe, STARTS, start);
                golub_kahan(&operator, lanczos.steps, &mut rng, tick)
            })
            .collect::<Result<_, _>>()?;
        let means = runs.iter().filter_map(|run| {
            let one = Spectrum::of_quadratures(std::slice::from_ref(run), shape);
            one.summary().map(|summary| summary.log_mean)
        });
        let near = Approximation {
            steps: lanczos.steps.min(shape.0.min(shape.1)),
            starts: runs.len(),
            log_mean_se: standard_error(&means.collect::<Vec<f64>>()),
            residual_max: relative_residual(&runs, true),
            residual_min: relative_residual(&runs, false),
        };
        Ok((Spectrum::of_quadratures(&runs, shape), near))
    }
}

fn standard_error(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (square / (n - 1.0) / n).sqrt()
}

/// Of the largest or smallest value that any run found: residual divided by value.
fn relative_residual(runs: &[Ritz], largest: bool) -> f64 {
    let ends = runs.iter().filter_map(|run| {
        let place = if largest {
            0
        } else {
            run.values.len().checked_sub(1)?
        };
        Some((*run.values.get(place)?, run.residuals[place]))
    });
    let best = if largest {
        ends.max_by(|a, b| a.0.total_cmp(&b.0))
    } else {
        ends.min_by(|a, b| a.0.total_cmp(&b.0))
    };
    best.map_or(f64::NAN, |(value, residual)| residual / value)
}
