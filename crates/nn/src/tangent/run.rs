//! Passes over a batch: pieces in parallel, phase by phase.

use std::sync::{Mutex, MutexGuard};

use rayon::prelude::*;
use reslab_kernels::LANES;

use super::Tangents;
use super::memory::{self, Group, Piece, Worker, ensure};
use super::pass::{At, Context, Work};
use super::program::Kind;
use super::schedule::Step;
use crate::network::Slot;
use crate::reference::Mode;

/// What a lock guards, also where a thread that held it has panicked: the panic goes on anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

pub(super) fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(|e| e.into_inner())
}

impl Tangents {
    /// Makes room for a batch at a new point.
    pub(super) fn start(&mut self, parameters: &[f32], state: &[f32], len: usize) {
        assert!(len > 0, "a batch of at least one sample");
        assert_eq!(
            parameters.len(),
            self.parameter_count,
            "parameters of the network"
        );
        assert_eq!(
            state.len(),
            self.state_count,
            "running statistics of the network"
        );
        self.len = len;
        self.parameters.clear();
        self.parameters.extend_from_slice(parameters);
        let groups = len.div_ceil(LANES);
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Mutex::default);
        }
        let pieces = memory::piece_count(&self.program, groups);
        self.pieces.resize_with(pieces, Mutex::default);
        for (at, piece) in self.pieces.iter_mut().enumerate() {
            let piece = get_mut(piece);
            piece.groups = at * groups / pieces..(at + 1) * groups / pieces;
        }
        memory::pack_forward(self.isa, &self.program, parameters, &mut self.packed);
        self.packs_backward = false;
        for norm in self.program.norms.iter().filter(|norm| !norm.of_batch) {
            self.norms.set_running(norm, parameters, state);
        }
    }

    /// Packs the point's weights for backward passes, if they are not.
    pub(super) fn pack_backward(&mut self) {
        if !self.packs_backward {
            let (isa, program) = (self.isa, &self.program);
            memory::pack_backward(isa, program, &self.parameters, &mut self.packed);
            self.packs_backward = true;
        }
    }

    /// Packs weights and their tangents, and finds how the norms with running statistics move.
    pub(super) fn pack_tangents(&mut self, direction: &[f32], inputs_move: bool) {
        let program = &self.program;
        let alone = |conv: usize| {
            !inputs_move
                && program
                    .ops
                    .iter()
                    .any(|op| op.input == 0 && matches!(op.kind, Kind::Conv(at) if at == conv))
        };
        memory::pack_tangents(
            self.isa,
            program,
            (&self.parameters, direction),
            alone,
            &mut self.packed_tangents,
        );
    }

    /// Runs the phases of one kind. Gradients of the parameters, or their tangents, are added to
    /// `arena`, unless it is empty.
    pub(super) fn run(&mut self, kind: usize, work: Work<'_>, arena: &mut [f32]) {
        let threads = rayon::current_num_threads();
        while self.workers.len() < threads {
            self.workers.push(Mutex::new(Worker::new(&self.program)));
        }
        let sums = 2 * self.program.norm_channels + self.program.bias_channels;
        for piece in &mut self.pieces {
            let piece = get_mut(piece);
            piece.sums.clear();
            piece.sums.resize(sums, 0.0);
            (piece.loss_sum, piece.wrong) = (0.0, 0);
            if !arena.is_empty() {
                ensure(&mut piece.weights, self.program.weights);
                piece.weights.fill(0.0);
            }
        }
        if let Work::Tangent { direction, .. } = work {
            for norm in self.program.norms.iter().filter(|norm| !norm.of_batch) {
                self.norms.set_tangent(norm, direction, None, 1.0);
            }
        }
        let phases = std::mem::take(&mut self.phases[kind]);
        for phase in &phases {
            self.run_steps(&phase.steps, work);
            if let Some(step) = phase.complete {
                self.complete(step, work, arena);
            }
        }
        self.phases[kind] = phases;
        if !arena.is_empty() {
            self.finish(work, arena);
        }
    }

    fn context<'a>(&'a self, work: Work<'a>) -> Context<'a> {
        Context {
            isa: self.isa,
            program: &self.program,
            arenas: &self.arenas,
            norms: &self.norms,
            parameters: &self.parameters,
            packed: &self.packed,
            packed_tangents: &self.packed_tangents,
            work,
            keeps: self.keeps,
            len: self.len,
        }
    }

    fn run_steps(&self, steps: &[Step], work: Work<'_>) {
        let cx = self.context(work);
        let pieces = self.pieces.par_iter().with_max_len(1);
        pieces.for_each(|piece| {
            let mut piece = lock(piece);
            let thread = rayon::current_thread_index().unwrap_or(0);
            let mut worker = lock(&self.workers[thread]);
            for at in piece.groups.clone() {
                let mut group = lock(&self.groups[at]);
                self.make_room(&cx, &mut group, &mut worker);
                let first = at * LANES;
                let mut at = At {
                    first,
                    live: LANES.min(self.len - first),
                    group: &mut group,
                    piece: &mut piece,
                    worker: &mut worker,
                };
                for step in steps {
                    cx.step(*step, &mut at);
                }
                self.exchange(work, &mut group, &mut worker);
            }
        });
    }

    /// Arenas for a group.
    fn make_room(&self, cx: &Context<'_>, group: &mut Group, worker: &mut Worker) {
        self.exchange(cx.work, group, worker);
        let arenas = &self.arenas;
        let values = if self.keeps {
            &arenas.full
        } else {
            &arenas.values
        };
        match cx.work {
            Work::Point { loss, .. } => {
                memory::make_room(&mut group.values, values.len);
                if loss.is_some() {
                    memory::make_room(&mut group.gradients, arenas.full.len);
                }
                group.masks.resize(arenas.masks.len, 0);
            }
            Work::Tangent { loss, .. } => {
                memory::make_room(&mut group.tangents, cx.tangents().len);
                if loss.is_some() {
                    memory::make_room(&mut group.gradient_tangents, arenas.gradients.len);
                }
            }
            Work::Cotangent { .. } => {
                memory::make_room(&mut group.gradient_tangents, arenas.gradients.len);
            }
        }
    }

    /// Lends a group the worker's arenas where the group goes through the whole pass at once, or gives
    /// them back. Where threads meet it has its own, and so have values that are read after the pass.
    fn exchange(&self, work: Work<'_>, group: &mut Group, worker: &mut Worker) {
        if self.mode == Mode::Training {
            return;
        }
        match work {
            Work::Point { .. } if self.keeps || self.arenas.keeps_values => {}
            Work::Point { .. } => std::mem::swap(&mut group.values, &mut worker.values),
            Work::Tangent { .. } | Work::Cotangent { .. } => {
                std::mem::swap(&mut group.tangents, &mut worker.tangents);
                std::mem::swap(&mut group.gradient_tangents, &mut worker.gradient_tangents);
            }
        }
    }

    /// The pieces' sums of a range, added up piece by piece, and taken from them.
    fn take_sums(&mut self, slot: Slot) -> Vec<f64> {
        let mut total = vec![0.0; slot.len];
        for piece in &mut self.pieces {
            let sums = slot.of_mut(&mut get_mut(piece).sums);
            for (total, sum) in total.iter_mut().zip(sums) {
                *total += *sum;
                *sum = 0.0;
            }
        }
        total
    }

    /// The sums of a batch norm are complete.
    fn complete(&mut self, step: Step, work: Work<'_>, arena: &mut [f32]) {
        let (Step::Gather(op) | Step::GatherBackward(op)) = step else {
            return;
        };
        let Kind::Affine {
            norm: Some(norm), ..
        } = self.program.ops[op].kind
        else {
            return;
        };
        let channels = self.program.norms[norm].spec.channels;
        let slot = Slot {
            offset: 2 * self.program.norms[norm].at,
            len: 2 * channels,
        };
        let sums = self.take_sums(slot);
        let norm = &self.program.norms[norm];
        let count = (norm.pixels * self.len) as f64;
        let norms = &mut self.norms;
        let forward = matches!(step, Step::Gather(_));
        match work {
            Work::Point { state, .. } if forward => {
                let shift = norm.spec.running_mean.of(state);
                norms.set_batch(norm, &self.parameters, shift, &sums, count);
            }
            Work::Tangent { direction, .. } if forward => {
                norms.set_tangent(norm, direction, Some(&sums), count);
            }
            Work::Point { .. } => {
                norms.set_backward(norm, &sums, count);
                norms.keep_backward(norm, &sums);
                norms.gradient(norm, &sums, arena);
            }
            Work::Tangent { .. } => {
                norms.set_backward_tangent(norm, &sums, count);
                norms.gradient_tangent(norm, &sums, arena);
            }
            Work::Cotangent { .. } => norms.set_backward(norm, &sums, count),
        }
    }

    /// Gradients of what was summed up to the end of the pass.
    fn finish(&mut self, work: Work<'_>, arena: &mut [f32]) {
        for at in 0..self.program.norms.len() {
            let norm = &self.program.norms[at];
            if norm.of_batch {
                continue;
            }
            let slot = Slot {
                offset: 2 * norm.at,
                len: 2 * norm.spec.channels,
            };
            let sums = self.take_sums(slot);
            let norm = &self.program.norms[at];
            match work {
                Work::Point { .. } => {
                    self.norms.keep_backward(norm, &sums);
                    self.norms.gradient(norm, &sums, arena);
                }
                _ => self.norms.gradient_tangent(norm, &sums, arena),
            }
        }
        let pieces: Vec<&Piece> = self
            .pieces
            .iter_mut()
            .map(|piece| &*get_mut(piece))
            .collect();
        memory::combine(&self.program, &pieces, arena);
    }

    pub(super) fn collect_outputs(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.resize(self.len * self.output_len, 0.0);
        self.collect(&mut outputs);
        self.outputs = outputs;
    }

    /// What the groups have handed on, in their order.
    pub(super) fn collect(&mut self, to: &mut [f32]) {
        let groups = self.len.div_ceil(LANES);
        let per_group = to.len() / self.len * LANES;
        for (group, to) in self.groups[..groups]
            .iter_mut()
            .zip(to.chunks_mut(per_group))
        {
            to.copy_from_slice(&get_mut(group).found);
        }
    }
}
