//! Runs a program over a batch: shards in parallel, phase by phase.

use std::ops::Range;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use reslab_kernels::loss::{Targets, Total, cross_entropy, squared_error};
use reslab_kernels::{Base, Buffer, Isa, LANES, lanes};

use super::backward_plan::{self, BackwardStep, Gradient, Kind};
use super::compile::{Purpose, compile};
use super::ir::{Program, View};
use super::schedule::{Phase, Step, phases};
use super::shard::{Context, Frame, Numbers, Plan, Shard, Worker};
use super::{backward, forward, memory};
use crate::error::ShapeError;
use crate::loss::{Batch, BatchResult, Loss, TargetsRef};
use crate::network::Network;

/// Numbers in the largest activation of a sample below which two groups make a shard, so that
/// small layers have more than one vector of images to work on.
const SMALL_ACTIVATION: usize = 256;

/// Numbers in the weights from which on two groups make a shard, so that they are read and their
/// gradients are put together half as often; and the least batch for which that leaves enough
/// shards to share out.
const LARGE_WEIGHTS: usize = 1 << 22;
const LARGE_BATCH: usize = 64;

/// One way of running a network: for training or for evaluation.
pub(super) struct Executor {
    pub plan: Plan,
    pub phases: Vec<Phase>,
    pub numbers: Numbers,
    pub shards: Vec<RwLock<Shard>>,
    /// Where each shard's arena lies.
    bases: Vec<Base>,
    pub workers: Vec<Worker>,
    /// Whether steps find out about layers for the instruments.
    pub observed: bool,
    /// Whether a pass ends in a loss, or only in outputs.
    pub scored: bool,
    /// For each block, where its output's squared gradient norm is recorded.
    pub records: Vec<usize>,
}

impl Executor {
    pub fn new(network: &Network, purpose: Purpose, max_batch: usize) -> Result<Self, ShapeError> {
        let mut program = compile(network, purpose)?;
        let records = places_of_records(&program);
        // What must be known of the whole batch keeps activations between phases.
        let training = purpose != Purpose::Evaluation;
        let backward = if purpose == Purpose::Training {
            backward_plan::plan(&program, &records)
        } else {
            Vec::new()
        };
        let largest = program
            .tensors
            .iter()
            .map(|t| t.shape.len())
            .max()
            .unwrap_or(0);
        let weights = network.layout.parameter_count();
        let heavy = weights >= LARGE_WEIGHTS && max_batch >= LARGE_BATCH;
        let small = largest < SMALL_ACTIVATION;
        let groups = if small || heavy { 2 } else { 1 };
        let memory = memory::plan(&mut program, &backward, groups);
        let phases = phases(&program, backward);
        let plan = Plan::new(Isa::current(), program, &memory, groups, training);
        let numbers = Numbers::for_program(&plan.program, training);
        let mut executor = Self {
            plan,
            phases,
            numbers,
            shards: Vec::new(),
            bases: Vec::new(),
            workers: Vec::new(),
            observed: false,
            scored: true,
            records,
        };
        executor.make_room(max_batch);
        Ok(executor)
    }

    /// Images of a shard: fixed by the network and the largest batch, so that sums do not depend on
    /// threads.
    pub fn shard_images(&self) -> usize {
        self.plan.groups * LANES
    }

    /// Makes shards for a batch and a worker for each thread; does nothing the second time.
    pub fn make_room(&mut self, batch: usize) {
        let shards = batch.div_ceil(self.shard_images());
        while self.shards.len() < shards {
            let shard = self.new_shard();
            self.bases.push(Base::of(&shard.arena));
            self.shards.push(RwLock::new(shard));
        }
        while self.workers.len() < rayon::current_num_threads() {
            let steps: Vec<&BackwardStep> = self
                .phases
                .iter()
                .flat_map(|phase| &phase.steps)
                .filter_map(|step| match step {
                    Step::Backward(step) => Some(&**step),
                    _ => None,
                })
                .collect();
            let worker = self.plan.worker(&steps);
            self.workers.push(worker);
        }
    }

    /// Floats of the parts of weight gradients, in whole lines.
    fn parts_len(&self) -> usize {
        let most = self.phases.iter().map(|phase| phase.parts).max();
        most.unwrap_or(0).next_multiple_of(LANES)
    }

    fn new_shard(&self) -> Shard {
        let (program, training) = (&self.plan.program, self.plan.training);
        let outputs = program.tensors[program.logits].shape.len();
        Shard {
            arena: Buffer::zeros(if training { self.plan.arena } else { 0 }),
            sums: vec![[0.0; 2]; program.stat_channels],
            norm_sums: vec![[0.0; 2]; if training { program.norm_channels } else { 0 }],
            parts: Buffer::zeros(self.parts_len()),
            records: vec![0.0; self.records.len()],
            total: Total::default(),
            first: 0,
            logits: vec![0.0; self.shard_images() * outputs],
        }
    }

    /// Runs one phase on every shard of the batch.
    pub fn run_phase(&mut self, phase: usize, parameters: &[f32], batch: &Batch<'_>, loss: &Loss) {
        let cx = Context {
            plan: &self.plan,
            numbers: &self.numbers,
            parameters,
            batch,
            loss,
            observed: self.observed,
            scored: self.scored,
        };
        let (phase, shards) = (&self.phases[phase], &self.shards);
        let size = self.plan.groups * LANES;
        let count = batch.len.div_ceil(size);
        let (next, bases) = (AtomicUsize::new(0), &self.bases);
        let work = |worker: &mut Worker| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    break;
                }
                // A guess, good enough to ask for its first rows.
                let following = next.load(Ordering::Relaxed);
                worker.next_arena = (following < count).then(|| bases[following]);
                let mut shard = shards[index].write().unwrap_or_else(|e| e.into_inner());
                let first = index * size;
                run_shard(
                    cx,
                    phase,
                    first,
                    size.min(batch.len - first),
                    &mut shard,
                    worker,
                );
            }
        };
        let threads = rayon::current_num_threads()
            .min(self.workers.len())
            .min(count);
        match &mut self.workers[..threads] {
            [worker] => work(worker),
            workers => workers.par_iter_mut().for_each(work),
        }
    }

    /// The shards of a batch of `len`, in order.
    pub fn shards(&mut self, len: usize) -> impl Iterator<Item = &mut Shard> {
        let count = len.div_ceil(self.shard_images());
        self.shards[..count]
            .iter_mut()
            .map(|s| s.get_mut().unwrap_or_else(|e| e.into_inner()))
    }

    /// Sums what the shards found and puts their outputs one after the other.
    pub fn collect(&mut self, len: usize, logits: &mut Vec<f32>) -> BatchResult {
        let program = &self.plan.program;
        let outputs = program.tensors[program.logits].shape.len();
        let size = self.shard_images();
        let mut result = BatchResult::default();
        logits.clear();
        for (index, shard) in self.shards(len).enumerate() {
            result.loss_sum += shard.total.loss;
            result.wrong += shard.total.wrong;
            let images = size.min(len - index * size);
            logits.extend_from_slice(&shard.logits[..images * outputs]);
        }
        result
    }
}

/// For each block, the first block whose output is the same view.
fn places_of_records(program: &Program) -> Vec<usize> {
    let first = |view: &View| {
        program
            .block_outputs
            .iter()
            .position(|v| v == view)
            .unwrap_or(0)
    };
    program.block_outputs.iter().map(first).collect()
}

impl Numbers {
    fn for_program(program: &Program, training: bool) -> Self {
        let zeros = |len: usize| vec![0.0; len];
        let norms = || zeros(program.norm_channels);
        let widest = program
            .tensors
            .iter()
            .map(|t| t.shape.channels)
            .max()
            .unwrap_or(0);
        Self {
            forward: zeros(program.packed),
            backward: zeros(if training { program.packed } else { 0 }),
            bias: zeros(program.bias_channels),
            scale: norms(),
            shift: norms(),
            mean: norms(),
            of_gradient: norms(),
            of_input: norms(),
            constant: norms(),
            stat_shift: zeros(program.stat_channels),
            zeros: zeros(widest),
        }
    }
}

/// Runs the steps of a phase on one shard of `images` samples, of which `first` is the first.
fn run_shard(
    cx: Context<'_>,
    phase: &Phase,
    first: usize,
    images: usize,
    shard: &mut Shard,
    worker: &mut Worker,
) {
    let owner = if cx.plan.training {
        &mut shard.arena
    } else {
        &mut worker.arena
    };
    let mut arena = std::mem::take(owner);
    let mut parts = phase.weights.iter();
    shard.first = first;
    for step in &phase.steps {
        match step {
            Step::Input => forward::gather_input(cx, first, images, &mut arena),
            Step::Forward(op) => {
                let op = &cx.plan.program.ops[*op];
                forward::run(cx, op, images, &mut arena, shard, worker);
            }
            Step::Loss => evaluate_loss(cx, first, images, &mut arena, shard),
            Step::Backward(step) => {
                let part = match step.kind {
                    Kind::Conv { .. } => parts.next().map_or(0, |&(_, part)| part),
                    _ => 0,
                };
                backward::run(cx, step, part, images, &mut arena, shard, worker);
            }
        }
    }
    let owner = if cx.plan.training {
        &mut shard.arena
    } else {
        &mut worker.arena
    };
    *owner = arena;
}

fn evaluate_loss(
    cx: Context<'_>,
    first: usize,
    images: usize,
    arena: &mut [f32],
    shard: &mut Shard,
) {
    let logits = cx.plan.program.logits;
    let outputs = cx.plan.shape(logits).len();
    let scale = 1.0 / cx.batch.len as f32;
    // A part of a network may put out images: all their rows.
    let whole = |row: Range<usize>| row.start..row.start + outputs * LANES;
    shard.total = Total::default();
    for group in 0..images.div_ceil(LANES) {
        let samples = group * LANES..images.min((group + 1) * LANES);
        let in_batch = first + samples.start..first + samples.end;
        let frame = Frame {
            first: group,
            groups: 1,
            live: samples.len(),
        };
        let row = whole(cx.plan.row(logits, frame, 0));
        let saved = &mut shard.logits[samples.start * outputs..samples.end * outputs];
        lanes::scatter(&arena[row.clone()], outputs, saved);
        if !cx.scored {
            continue;
        }
        let (values, gradient) = if cx.plan.training {
            let to = whole(cx.plan.gradient_row(Gradient::Tensor(logits), frame, 0));
            let [values, gradient] = arena
                .get_disjoint_mut([row, to])
                .expect("the memory plan keeps them apart");
            (&*values, Some(gradient))
        } else {
            (&arena[row], None)
        };
        let targets = match cx.batch.targets {
            TargetsRef::Classes(classes) => Targets::Classes(&classes[in_batch]),
            TargetsRef::Values(values) => {
                Targets::Values(&values[in_batch.start * outputs..in_batch.end * outputs])
            }
        };
        let total = match *cx.loss {
            Loss::CrossEntropy { label_smoothing } => {
                cross_entropy(values, targets, label_smoothing, scale, gradient)
            }
            Loss::SquaredError => squared_error(values, targets, scale, gradient),
        };
        shard.total.loss += total.loss;
        shard.total.wrong += total.wrong;
    }
}
