//! Products of many matrices that keep their small singular values.
//!
//! A product P = J_l … J₁ of a hundred factors easily has a condition number beyond 10²⁰: formed
//! naively, everything below 10⁻¹⁶ of the largest singular value is rounding. Here it is kept as
//!
//! ```text
//! P = U diag(eᵈ) T        U: orthonormal columns, d: logarithms, T: well conditioned
//! ```
//!
//! and a factor J is taken in by QR (the stable stratification of Loh et al. 1989 and Bai et al.
//! 2011, with d in logarithms so that nothing over- or underflows): the columns of J U, ordered by
//! their length times eᵈ, are Q R; then U ← Q, dᵢ ← ln |Rᵢᵢ| + dᵢ, and T is multiplied by the upper
//! triangular matrix of the numbers Rᵢⱼ/|Rᵢᵢ| · exp(dⱼ − dᵢ), whose diagonal is ±1 and whose other
//! entries are about as large at most, since large columns come first. QR does not mind how
//! columns are scaled, so each step errs by a few roundings of each *column*, not of the largest one.
//!
//! The dᵢ are the Lyapunov exponents times l, as QR re-orthogonalisation defines them. For the
//! singular values T = Rᵀ Qᵀ leaves the rows of diag(eᵈ) Rᵀ, and one-sided Jacobi rotations of such
//! rows find every singular value, however small, to a relative error of about κ(T) ε, times the
//! number of factors (Demmel, Veselić 1992): rows are kept as directions and logarithms of lengths.
//!
//! Directions that a factor maps to nothing but rounding, below n ε of what it does to the others,
//! are lost: the product has as many singular values of 0. (A factor whose own condition number is
//! beyond 1/(n ε) cannot be told from one of lower rank.)

use reslab_dense::{self as dense, DenseError, Matrix};

/// A product of matrices as U diag(eᵈ) T.
#[derive(Debug, Clone)]
pub struct Graded {
    /// U, rows of the product × rank.
    left: Matrix,
    /// d.
    logs: Vec<f64>,
    /// T, rank × columns of the product.
    right: Matrix,
}

/// Where |Rᵢᵢ| is smaller than this beside its column, or an entry of the new triangle larger than
/// its inverse, the quick ordering by length is not good enough.
const DOUBTFUL: f64 = 1e-4;
/// Spread of d up to which an ordinary singular value decomposition keeps ten digits of all.
const MODERATE: f64 = 13.8;

/// What a step of the product needs: C Π ≈ Q R with the columns of C = J U in the order Π.
struct Step {
    order: Vec<usize>,
    left: Matrix,
    /// rank × columns, in the new order.
    triangle: Matrix,
}

impl Graded {
    /// The product of nothing: the identity.
    pub fn identity(n: usize) -> Self {
        Self {
            left: Matrix::identity(n),
            logs: vec![0.0; n],
            right: Matrix::identity(n),
        }
    }

    /// P ← J P.
    pub fn multiply(&mut self, factor: &Matrix) -> Result<(), DenseError> {
        let columns = factor.times(&self.left);
        let step = match quick(&columns, &self.logs)? {
            Some(step) => step,
            None => careful(&columns, &self.logs),
        };
        let rank = step.triangle.rows();
        let diagonal = |i: usize| step.triangle.at(i, i).abs().ln() + self.logs[step.order[i]];
        let logs: Vec<f64> = (0..rank).map(diagonal).collect();
        let relative = Matrix::from_fn(rank, step.order.len(), |i, j| {
            let entry = step.triangle.at(i, j);
            if j < i || entry == 0.0 {
                return 0.0;
            }
            entry.signum() * (entry.abs().ln() + self.logs[step.order[j]] - logs[i]).exp()
        });
        let ordered = Matrix::from_fn(step.order.len(), self.right.columns(), |i, j| {
            self.right.at(step.order[i], j)
        });
        self.right = relative.times(&ordered);
        self.left = step.left;
        self.logs = logs;
        Ok(())
    }

    /// The logarithms of the diagonal of R, summed over the factors: l times the Lyapunov exponents
    /// by QR, descending. As many as the rank.
    pub fn log_diagonal(&self) -> Vec<f64> {
        let mut logs = self.logs.clone();
        logs.sort_by(|a, b| b.total_cmp(a));
        logs
    }

    /// The natural logarithms of the singular values that are not 0, descending.
    pub fn log_singular_values(&self) -> Result<Vec<f64>, DenseError> {
        if self.logs.is_empty() {
            return Ok(Vec::new());
        }
        // T = Rᵀ Qᵀ: row i of diag(eᵈ) Rᵀ is column i of R.
        let (_, rows) = dense::qr(&self.right.transposed())?;
        let most = self.logs.iter().copied().fold(f64::MIN, f64::max);
        let least = self.logs.iter().copied().fold(f64::MAX, f64::min);
        if most - least <= MODERATE {
            let scaled = Matrix::from_fn(rows.rows(), rows.columns(), |i, j| {
                rows.at(i, j) * (self.logs[j] - most).exp()
            });
            let values = dense::singular_values(&scaled)?;
            return Ok(values.into_iter().map(|s| s.ln() + most).collect());
        }
        Ok(log_singular_values_of_scaled(rows, self.logs.clone()))
    }
}

/// QR with columns ordered by length alone: right where no column nearly depends on those before.
fn quick(columns: &Matrix, logs: &[f64]) -> Result<Option<Step>, DenseError> {
    if columns.rows() < columns.columns() {
        return Ok(None);
    }
    let lengths: Vec<f64> = (0..columns.columns())
        .map(|j| norm(columns.column(j)))
        .collect();
    let size = |j: usize| lengths[j].ln() + logs[j];
    let mut order: Vec<usize> = (0..columns.columns()).collect();
    order.sort_by(|a, b| size(*b).total_cmp(&size(*a)));
    let ordered = Matrix::from_fn(columns.rows(), order.len(), |i, j| columns.at(i, order[j]));
    let (left, triangle) = dense::qr(&ordered)?;
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    let nothing = rounding(columns) * longest;
    let good = (0..order.len()).all(|i| {
        let pivot = triangle.at(i, i).abs();
        let bound = pivot.ln() - DOUBTFUL.ln() + logs[order[i]];
        pivot > nothing
            && pivot > DOUBTFUL * lengths[order[i]]
            && (i + 1..order.len()).all(|j| triangle.at(i, j).abs().ln() + logs[order[j]] <= bound)
    });
    Ok(good.then_some(Step {
        order,
        left,
        triangle,
    }))
}

/// What of a column may be rounding, beside the longest.
fn rounding(columns: &Matrix) -> f64 {
    columns.rows().max(columns.columns()) as f64 * f64::EPSILON
}

/// QR with full column pivoting on the scaled columns, by modified Gram–Schmidt, twice; columns of
/// which nothing but rounding is left are dropped.
fn careful(columns: &Matrix, logs: &[f64]) -> Step {
    let (rows, count) = (columns.rows(), columns.columns());
    let mut rest: Vec<Vec<f64>> = (0..count).map(|j| columns.column(j).to_vec()).collect();
    let longest = rest.iter().map(|c| norm(c)).fold(0.0, f64::max);
    let nothing = rounding(columns) * longest;
    let (mut order, mut lost) = (Vec::new(), Vec::new());
    let mut open: Vec<usize> = (0..count).collect();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    // Of each column its coefficients by the basis so far.
    let mut coefficients: Vec<Vec<f64>> = vec![Vec::new(); count];
    loop {
        let lengths: Vec<f64> = open.iter().map(|&j| norm(&rest[j])).collect();
        let gone = |place: usize| lengths[place] <= nothing;
        lost.extend((0..open.len()).filter(|&p| gone(p)).map(|p| open[p]));
        let left = (0..open.len()).filter(|&p| !gone(p));
        let size = |p: &usize| lengths[*p].ln() + logs[open[*p]];
        let Some(best) = left.max_by(|a, b| size(a).total_cmp(&size(b)).then(b.cmp(a))) else {
            break;
        };
        let pivot = open[best];
        let mut direction = std::mem::take(&mut rest[pivot]);
        for (known, coefficient) in basis.iter().zip(&mut coefficients[pivot]) {
            let again = dot(known, &direction);
            subtract(again, known, &mut direction);
            *coefficient += again;
        }
        let length = norm(&direction);
        direction.iter_mut().for_each(|x| *x /= length);
        coefficients[pivot].push(length);
        let kept = |place: &usize| lengths[*place] > nothing && *place != best;
        open = (0..open.len()).filter(kept).map(|p| open[p]).collect();
        for &j in &open {
            let part = dot(&direction, &rest[j]);
            subtract(part, &direction, &mut rest[j]);
            coefficients[j].push(part);
        }
        order.push(pivot);
        basis.push(direction);
    }
    order.extend(lost);
    let rank = basis.len();
    let triangle = Matrix::from_fn(rank, count, |i, j| {
        let column = &coefficients[order[j]];
        column.get(i).copied().unwrap_or(0.0)
    });
    Step {
        order,
        left: Matrix::new(rows, rank, basis.concat()),
        triangle,
    }
}

/// Singular values, as logarithms, of the matrix whose i-th row is the i-th column of `rows` times
/// exp(`logs[i]`): one-sided Jacobi, rows kept as directions and logarithms of lengths.
fn log_singular_values_of_scaled(mut rows: Matrix, mut logs: Vec<f64>) -> Vec<f64> {
    const SWEEPS: usize = 60;
    let count = rows.columns();
    let converged = 4.0 * f64::EPSILON * (rows.rows() as f64).sqrt();
    for (i, log) in logs.iter_mut().enumerate() {
        *log += normalise(rows.column_mut(i));
    }
    for _ in 0..SWEEPS {
        // Large rows first: then small ones are rotated against large ones once or twice only.
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| logs[*b].total_cmp(&logs[*a]));
        let sorted = order.iter().flat_map(|&i| rows.column(i).iter().copied());
        rows = Matrix::new(rows.rows(), count, sorted.collect());
        logs = order.iter().map(|&i| logs[i]).collect();
        let mut rotated = false;
        for i in 0..count {
            for j in i + 1..count {
                let cosine = dot(rows.column(i), rows.column(j));
                if cosine.abs() > converged {
                    rotated = true;
                    let (large, small) = if logs[i] >= logs[j] { (i, j) } else { (j, i) };
                    rotate((&mut rows, &mut logs), large, small, cosine);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    logs.sort_by(|a, b| b.total_cmp(a));
    logs
}

/// Makes two rows orthogonal. With ρ ≤ 1 the ratio of their lengths and c the cosine between them,
/// the tangent of the Jacobi angle is ρ τ, τ = −2c / (1 − ρ² + √(4c²ρ² + (1 − ρ²)²)): a form in which
/// nothing overflows when ρ vanishes.
fn rotate((rows, logs): (&mut Matrix, &mut [f64]), large: usize, small: usize, c: f64) {
    let ratio = (logs[small] - logs[large]).exp();
    let gap = 1.0 - ratio * ratio;
    let tau = -2.0 * c / (gap + (4.0 * c * c * ratio * ratio + gap * gap).sqrt());
    let cosine = 1.0 / (1.0 + (tau * ratio).powi(2)).sqrt();
    let back = tau * ratio * ratio;
    let (a, b) = rows.two_columns_mut(large, small);
    for (a, b) in a.iter_mut().zip(b.iter_mut()) {
        let (x, y) = (*a, *b);
        *a = cosine * (x - back * y);
        *b = cosine * (y + tau * x);
    }
    logs[large] += normalise(a);
    logs[small] += normalise(b);
}

/// Divides by the length and returns its logarithm.
fn normalise(vector: &mut [f64]) -> f64 {
    let length = norm(vector);
    vector.iter_mut().for_each(|x| *x /= length);
    length.ln()
}

fn subtract(factor: f64, what: &[f64], from: &mut [f64]) {
    for (x, y) in from.iter_mut().zip(what) {
        *x -= factor * y;
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums side by side: the compiler can keep them in vector registers.
    let mut sums = [0.0; 8];
    let (heads, tails) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = (heads.remainder().iter().zip(tails.remainder()))
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in heads.zip(tails) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}

pub(super) fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}
