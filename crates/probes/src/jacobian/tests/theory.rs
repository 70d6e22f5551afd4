//! What products leave in the tables of theory.

use super::tables::measured;
use crate::jacobian::JacobianSettings;

#[test]
fn products_stand_beside_each_of_their_laws() {
    let model = r#"{"family": "fully-connected", "depth": 3, "width": 20, "activation": "tanh"}"#;
    let tables = measured(model, &JacobianSettings::default());
    let (theory, density) = (&tables[3], &tables[4]);
    // Lengths 1, 2, 3, each with two laws.
    let laws: Vec<_> = theory.iter().filter_map(|row| row.text("law")).collect();
    assert_eq!(laws, ["many-blocks", "blocks"].repeat(3));
    let last = theory.iter().last().expect("a row");
    let products = tables[0]
        .iter()
        .filter(|row| row.text("kind") == Some("product"));
    let whole = products.last().expect("a product");
    for (here, there) in [
        ("edge_high_measured", "log_max"),
        ("edge_low_measured", "log_min"),
        ("c_measured", "branch_square"),
    ] {
        let (a, b) = (
            last.real(here).expect("one"),
            whole.real(there).expect("one"),
        );
        assert!((a - b).abs() < 1e-12, "{here}");
    }
    let square = 0.5 * last.real("square_measured").expect("one").ln();
    assert!((square - whole.real("log_rms").expect("one")).abs() < 1e-9);
    // Bins and outliers hold all singular values.
    let rows = density
        .iter()
        .filter(|row| row.integer("blocks") == Some(3) && row.text("law") == Some("blocks"));
    let share = rows.map(|row| match row.text("kind") {
        Some("bin") => row.real("measured").unwrap_or(0.0) * row.real("width").unwrap_or(0.0),
        _ => 1.0 / 20.0,
    });
    assert!((share.sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn where_there_is_no_law_the_row_says_why() {
    let model = r#"{"family": "fully-connected", "depth": 2, "width": 8, "batch_norm": true}"#;
    let tables = measured(model, &JacobianSettings::default());
    assert_eq!(tables[3].len(), 2);
    for row in tables[3].iter() {
        assert!(
            row.text("note")
                .is_some_and(|note| note.contains("batch norm"))
        );
        assert_eq!((row.text("law"), row.real("distance")), (None, None));
    }
    assert!(tables[4].is_empty());
}
