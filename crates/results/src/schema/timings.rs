//! The table `timings`: wall-clock time and provenance, kept out of every other table.

use crate::table::{ColumnSpec, Kind, Schema};

/// One row a run and epoch.
pub fn timings() -> Schema {
    let column = ColumnSpec::new;
    Schema::new(
        "timings",
        vec![
            column("run_id", Kind::Text, "", "The run, as in `runs`."),
            column("epoch", Kind::Integer, "epochs", "Epochs of training done."),
            column(
                "seconds_train",
                Kind::Real,
                "s",
                "Wall-clock time of the epoch's training steps.",
            ),
            column(
                "seconds_evaluate",
                Kind::Real,
                "s",
                "Wall-clock time of the evaluations and measurements after it.",
            ),
            column(
                "images_per_s",
                Kind::Real,
                "1/s",
                "Training samples a second of `seconds_train`.",
            ),
            column(
                "threads",
                Kind::Integer,
                "",
                "Threads the run had for itself in this epoch.",
            ),
            column("isa", Kind::Text, "", "Instruction set of the kernels."),
            column("host", Kind::Text, "", "Name of the machine."),
            column("cpu", Kind::Text, "", "Model of the processor."),
            column("version", Kind::Text, "", "Version of reslab."),
            column(
                "commit",
                Kind::Text,
                "",
                "Git commit reslab was built from; null if unknown.",
            ),
            column(
                "dirty",
                Kind::Boolean,
                "",
                "Whether the source differed from that commit; null if unknown.",
            ),
            column("rustc", Kind::Text, "", "Version of the compiler."),
            column("target", Kind::Text, "", "Target triple."),
            column("command", Kind::Text, "", "Command line."),
            column(
                "started",
                Kind::Text,
                "UTC",
                "When the process began the run or resumed it.",
            ),
            column("finished", Kind::Text, "UTC", "When the run was complete."),
        ],
    )
}
