//! The two principal components of a trajectory (Li et al. 2018, section 7).
//!
//! The rows of the matrix are `θ_t − θ_n` for every network of the trajectory, the last one's row of zeros
//! included, and the mean of the rows is taken off, as the released code has it done. With `G` the
//! matrix of the rows' scalar products, of as many rows as there are networks, and `a`, `λ` an
//! eigenvector and eigenvalue of it, `Σ_t a_t (θ_t − θ_n) / √λ` is a component of length 1, and
//! `λ / trace G` the share of the variance along it.

use rayon::prelude::*;

/// A plane through a trajectory.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Two vectors of length 1, at right angles.
    pub components: [Vec<f32>; 2],
    /// Shares of the variance along them.
    pub shares: [f64; 2],
    /// Each network's place.
    pub places: Vec<Place>,
}

/// Where a network of a trajectory lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Projection of `θ_t − θ_n` on the first component.
    pub x: f64,
    /// On the second.
    pub y: f64,
    /// `‖θ_t − θ_n‖`.
    pub distance: f64,
}

/// The components of `networks`, in order of time, seen from `centre`, which is the last of the
/// trajectory and not among them. The first network lies at an x of at least 0, the one farthest along the second
/// component at a y of at least 0. `poll` is called between rows. `None` if the networks lie on one line.
pub fn principal<E>(
    networks: &[Vec<f32>],
    centre: &[f32],
    poll: &mut dyn FnMut() -> Result<(), E>,
) -> Result<Option<Principal>, E> {
    let rows = networks.len() + 1;
    let mut products = vec![0.0; rows * rows];
    for (t, row) in networks.iter().enumerate() {
        let with = |other: &Vec<f32>| product(row, other, centre);
        let found: Vec<f64> = networks[..=t].par_iter().map(with).collect();
        for (s, value) in found.into_iter().enumerate() {
            products[t * rows + s] = value;
            products[s * rows + t] = value;
        }
        poll()?;
    }
    let squares: Vec<f64> = (0..rows).map(|t| products[t * rows + t]).collect();
    let mut centred = without_means(&products, rows);
    let trace: f64 = (0..rows).map(|t| centred[t * rows + t]).sum();
    let (values, vectors) = eigen(&mut centred, rows);
    if !(trace > 0.0 && values[1] > 1e-12 * trace) {
        return Ok(None);
    }
    let component = |k: usize| {
        let length = values[k].sqrt();
        let mut sum = vec![0.0_f64; centre.len()];
        for (network, a) in networks.iter().zip(&vectors[k]) {
            let share = a / length;
            for ((sum, &value), &centre) in sum.iter_mut().zip(network).zip(centre) {
                *sum += share * (f64::from(value) - f64::from(centre));
            }
        }
        sum.into_iter()
            .map(|value| value as f32)
            .collect::<Vec<f32>>()
    };
    let mut components = [component(0), component(1)];
    let along = |direction: &[f32]| -> Vec<f64> {
        let zeros = vec![0.0; centre.len()];
        let onto = |network: &Vec<f32>| half(network, direction, centre, &zeros);
        networks.par_iter().map(onto).collect()
    };
    let mut x = along(&components[0]);
    let mut y = along(&components[1]);
    let farthest = y
        .iter()
        .copied()
        .fold(0.0, |far: f64, y| if y.abs() > far.abs() { y } else { far });
    for (k, turned, places) in [(0, x[0] < 0.0, &mut x), (1, farthest < 0.0, &mut y)] {
        if turned {
            components[k].iter_mut().for_each(|value| *value = -*value);
            places.iter_mut().for_each(|value| *value = -*value);
        }
    }
    let place = |((x, y), square): ((f64, f64), &f64)| Place {
        x,
        y,
        distance: square.sqrt(),
    };
    let end = [(0.0, 0.0)];
    let places = x.into_iter().zip(y).chain(end).zip(&squares).map(place);
    Ok(Some(Principal {
        components,
        shares: [values[0] / trace, values[1] / trace],
        places: places.collect(),
    }))
}

/// `(a − centre) · (b − centre)`.
fn product(a: &[f32], b: &[f32], centre: &[f32]) -> f64 {
    half(a, b, centre, centre)
}

/// `(a − c) · (b − d)`, summed in eight lanes, whose order is fixed.
fn half(a: &[f32], b: &[f32], c: &[f32], d: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0_f64; LANES];
    let chunks = a
        .chunks(LANES)
        .zip(b.chunks(LANES))
        .zip(c.chunks(LANES))
        .zip(d.chunks(LANES));
    for (((a, b), c), d) in chunks {
        for lane in 0..a.len() {
            let first = f64::from(a[lane]) - f64::from(c[lane]);
            sums[lane] += first * (f64::from(b[lane]) - f64::from(d[lane]));
        }
    }
    sums.iter().sum()
}

/// Scalar products of rows whose mean is taken off, from those of the rows.
fn without_means(products: &[f64], rows: usize) -> Vec<f64> {
    let count = rows as f64;
    let mean = |t: usize| products[t * rows..(t + 1) * rows].iter().sum::<f64>() / count;
    let means: Vec<f64> = (0..rows).map(mean).collect();
    let whole = means.iter().sum::<f64>() / count;
    let centred = |at: usize| products[at] - means[at / rows] - means[at % rows] + whole;
    (0..rows * rows).map(centred).collect()
}

/// Eigenvalues, largest first, and eigenvectors of a symmetric matrix, which is overwritten: cyclic
/// Jacobi rotations (Golub, Van Loan, Matrix Computations, section 8.5).
fn eigen(matrix: &mut [f64], n: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    // Row k of the vectors is the one whose value stands at place k of the diagonal.
    let mut vectors: Vec<Vec<f64>> = (0..n)
        .map(|k| (0..n).map(|i| f64::from(u8::from(i == k))).collect())
        .collect();
    let size: f64 = matrix.iter().map(|value| value * value).sum();
    for _ in 0..64 {
        let mut off = 0.0;
        for p in 0..n {
            for q in p + 1..n {
                off += 2.0 * matrix[p * n + q] * matrix[p * n + q];
                rotate(matrix, &mut vectors, n, (p, q));
            }
        }
        if off <= 1e-30 * size {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    let value = |k: usize| matrix[k * n + k];
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    let sorted = order.iter().map(|&k| value(k)).collect();
    let vectors = order.iter().map(|&k| vectors[k].clone()).collect();
    (sorted, vectors)
}

/// Turns rows and columns p and q so that their common element becomes 0.
fn rotate(matrix: &mut [f64], vectors: &mut [Vec<f64>], n: usize, (p, q): (usize, usize)) {
    let common = matrix[p * n + q];
    if common == 0.0 {
        return;
    }
    let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * common);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |a: f64, b: f64| (cosine * a - sine * b, sine * a + cosine * b);
    for k in 0..n {
        (matrix[k * n + p], matrix[k * n + q]) = turn(matrix[k * n + p], matrix[k * n + q]);
    }
    for k in 0..n {
        (matrix[p * n + k], matrix[q * n + k]) = turn(matrix[p * n + k], matrix[q * n + k]);
        (vectors[p][k], vectors[q][k]) = turn(vectors[p][k], vectors[q][k]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reslab_nn::random::{Purpose, normal, stream};

    fn draws(index: u64, count: usize) -> Vec<f64> {
        let mut rng = stream(0, Purpose::Test, 1, index);
        (0..count).map(|_| normal(&mut rng)).collect()
    }

    fn go_on() -> Result<(), ()> {
        Ok(())
    }

    #[test]
    fn eigenvectors_are_those_of_the_matrix() {
        for n in [1, 2, 3, 17] {
            let numbers = draws(n as u64, n * n);
            let matrix: Vec<f64> = (0..n * n)
                .map(|at| numbers[at] + numbers[at % n * n + at / n])
                .collect();
            let (values, vectors) = eigen(&mut matrix.clone(), n);
            assert!(values.is_sorted_by(|a, b| a >= b));
            for (k, (value, vector)) in values.iter().zip(&vectors).enumerate() {
                for row in 0..n {
                    let found: f64 = (0..n).map(|i| matrix[row * n + i] * vector[i]).sum();
                    assert!((found - value * vector[row]).abs() < 1e-12 * n as f64);
                }
                for (other, with) in vectors.iter().enumerate() {
                    let product: f64 = vector.iter().zip(with).map(|(a, b)| a * b).sum();
                    assert!((product - f64::from(u8::from(other == k))).abs() < 1e-13);
                }
            }
        }
    }

    // θ_t = θ_n + 3 c(t) u + s(t) v with u, v orthonormal and c, s without a common part: the
    // components are u and v, the shares those of the variances of the two functions.
    #[test]
    fn a_trajectory_with_known_components_gives_them_back() {
        let (steps, size) = (24, 1000);
        let mut u = vec![0.0; size];
        let mut v = vec![0.0; size];
        for at in 0..size {
            u[at] = if at % 2 == 0 {
                (2.0 / size as f64).sqrt()
            } else {
                0.0
            };
            v[at] = if at % 2 == 1 {
                -(2.0 / size as f64).sqrt()
            } else {
                0.0
            };
        }
        let centre: Vec<f32> = draws(99, size).into_iter().map(|x| x as f32).collect();
        let angle = |t: usize| std::f64::consts::TAU * t as f64 / steps as f64;
        // The last of the whole turn is the centre: both functions are 0 there.
        let of = |t: usize| (3.0 * (angle(t).cos() - 1.0), angle(t).sin());
        let networks: Vec<Vec<f32>> = (1..steps)
            .map(|t| {
                let (a, b) = of(t);
                let value = |at: usize| f64::from(centre[at]) + a * u[at] + b * v[at];
                (0..size).map(|at| value(at) as f32).collect()
            })
            .collect();
        let found = principal(&networks, &centre, &mut go_on).expect("not stopped");
        let found = found.expect("a plane");
        // Variances of a cosine of 3 and a sine of 1 over whole turns are 9/2 and 1/2.
        assert!((found.shares[0] - 0.9).abs() < 1e-5, "{:?}", found.shares);
        assert!((found.shares[1] - 0.1).abs() < 1e-5, "{:?}", found.shares);
        let sign = [-1.0, 1.0];
        for (k, direction) in [&u, &v].into_iter().enumerate() {
            // Of either sine the farthest place may be first, so that only x has a sign that is known.
            let product: f64 = direction
                .iter()
                .zip(&found.components[k])
                .map(|(a, &b)| a * f64::from(b))
                .sum();
            assert!((product.abs() - 1.0).abs() < 1e-5, "{product}");
            assert!(k == 1 || (product - sign[k]).abs() < 1e-5);
        }
        assert_eq!(found.places.len(), steps);
        for (t, place) in (1..=steps).zip(&found.places) {
            let (a, b) = of(t % steps);
            assert!((place.x + a).abs() < 1e-4, "{place:?}");
            assert!((place.y.abs() - b.abs()).abs() < 1e-4, "{place:?}");
            assert!((place.distance - a.hypot(b)).abs() < 1e-4, "{place:?}");
        }
    }

    #[test]
    fn networks_on_a_line_have_no_plane() {
        let centre = vec![0.0; 10];
        let networks = [vec![2.0; 10], vec![1.0; 10]];
        assert_eq!(principal(&networks, &centre, &mut go_on), Ok(None));
        assert_eq!(principal(&[], &centre, &mut go_on), Ok(None));
    }
}
