//! Prints `docs/tables.md` from the schemas.

fn main() {
    print!("{}", reslab_results::schema::markdown());
}
