//! The plan in words: which kernel runs which op, what is fused, where the threads meet.

use std::fmt;

use super::Engine;
use super::backward_plan::Kind;
use super::executor::Executor;
use super::geometry::Geometry;
use super::ir::{Adapter, Conv, Op, Program, Sum, View};
use super::schedule::Step;
use reslab_kernels::pointwise::Nonlinearity;

/// An engine's plan; see [`Engine::plan`].
pub struct PlanDisplay<'a>(&'a Engine);

impl Engine {
    /// The plan in words, one line an op.
    pub fn plan(&self) -> PlanDisplay<'_> {
        PlanDisplay(self)
    }
}

impl fmt::Display for PlanDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((executor, _)) = &self.0.training {
            executor_lines(executor, "training", f)?;
        }
        if let Some(executor) = &self.0.evaluation {
            executor_lines(executor, "evaluation", f)?;
        }
        Ok(())
    }
}

fn executor_lines(executor: &Executor, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let plan = &executor.plan;
    writeln!(
        f,
        "{name} with {}: shards of {} images, {} floats each, {} phases",
        plan.isa,
        executor.shard_images(),
        plan.arena,
        executor.phases.len()
    )?;
    for (number, phase) in executor.phases.iter().enumerate() {
        writeln!(f, "phase {number}")?;
        for step in &phase.steps {
            match step {
                Step::Input => writeln!(f, "  input: side by side")?,
                Step::Loss => writeln!(f, "  loss")?,
                Step::Forward(op) => {
                    writeln!(f, "  {}", op_line(&plan.program, *op, plan.isa.name()))?
                }
                Step::Backward(step) => match &step.kind {
                    Kind::Conv { op, deliver, .. } => {
                        let Op::Conv(conv) = &plan.program.ops[*op] else {
                            continue;
                        };
                        let turned = Geometry::new(conv, 1).transposed();
                        let weight = if turned { "transposed" } else { "in lanes" };
                        write!(f, "  {} backward: weight {weight}", conv.name)?;
                        if let Some(deliver) = deliver {
                            let sum = if deliver.sum.is_some() {
                                ", sum fused"
                            } else {
                                ""
                            };
                            write!(f, ", input direct{sum}")?;
                        }
                        writeln!(f)?;
                    }
                    Kind::Norm { norm, .. } => writeln!(f, "  norm {norm} backward")?,
                    Kind::Sum(sum) => writeln!(f, "  sum {} backward", sum.output)?,
                    Kind::Pool { .. } => writeln!(f, "  average pool backward")?,
                    Kind::Flatten { .. } => writeln!(f, "  flatten backward")?,
                    Kind::Product { .. } => writeln!(f, "  product backward")?,
                    Kind::MaxPool { .. } => writeln!(f, "  max pool backward")?,
                },
            }
        }
    }
    Ok(())
}

fn op_line(program: &Program, op: usize, isa: &str) -> String {
    match &program.ops[op] {
        Op::Conv(conv) => conv_line(conv, isa),
        Op::Sum(sum) => sum_line(sum),
        Op::Gather { tensor, .. } => format!("statistics of {tensor}"),
        Op::Pool { .. } => "average pool".to_owned(),
        Op::Flatten { .. } => "flatten".to_owned(),
        Op::Product(product) => format!("product with {:?}", product.factor),
        Op::MaxPool(_) => "max pool".to_owned(),
    }
}

fn conv_line(conv: &Conv, isa: &str) -> String {
    let s = &conv.shape;
    let kind = if conv.flat {
        "linear"
    } else {
        "direct convolution"
    };
    let mut line = format!(
        "{}: {kind} {isa} {}→{} {}×{}/{} on {}×{}",
        conv.name, s.in_channels, s.out_channels, s.kernel, s.kernel, s.stride, s.height, s.width
    );
    if let Some(sum) = &conv.fused {
        line += &format!(", {} fused", sum_line(sum));
    } else {
        line += &view_words(conv.input);
    }
    if conv.finish.add.is_some() {
        line += ", sum on writing";
    } else if conv.finish.relu {
        line += ", ReLU on writing";
    }
    if conv.reads_in_place() {
        line += ", read in place";
    }
    if conv.stat.is_some() {
        line += ", statistics fused";
    }
    if conv.folded.is_some() {
        line += ", norm folded";
    }
    line
}

fn view_words(view: View) -> String {
    let norm = if view.norm.is_some() {
        ", norm on reading"
    } else {
        ""
    };
    let activation = if view.activation == Nonlinearity::Identity {
        ""
    } else {
        ", activation on reading"
    };
    format!("{norm}{activation}")
}

fn sum_line(sum: &Sum) -> String {
    let option_a = sum
        .terms
        .iter()
        .any(|(_, adapter)| *adapter != Adapter::Same);
    let subsampled = if option_a { " (subsampled)" } else { "" };
    format!("sum of {}{subsampled}", sum.terms.len())
}
