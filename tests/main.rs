//! Tests of the whole program: the binary is run as a person would run it, in a folder of its own.

/// Whatever is wrong in an experiment file or a data file is refused before anything runs.
mod bad_input;
/// Speed and memory: what is printed, and that it fits together.
mod bench;
/// Every command's output, and the examples of `docs/command-line.md`.
mod commands;
/// The same experiment gives the same bytes: any threads, any jobs, killed or not.
mod determinism;
/// Runs that fail or diverge, and what the exit code says of them.
mod failures;
/// Figures are drawn from tables, and drawn again.
mod figures;
/// File lengths, one-way imports between crates, links in the documents.
mod house;
/// Loss surfaces: killed and gone on with, and what belongs to their identity.
mod landscape;
/// Ctrl-C, SIGKILL, edited experiments: nothing finished is lost or computed twice.
mod resume;
/// A folder with a binary, and words to speak about what it does.
mod support;
/// The tables a sweep leaves behind: their rows, columns and keys.
mod tables;
/// Weights read, evaluated and exported.
mod weights;
