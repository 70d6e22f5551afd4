//! candle's side of a comparison: CIFAR residual networks on this CPU, f32.
//!
//! `peer train|eval resnetN BATCH STEPS` says when it is ready, then answers each line it reads with
//! one JSON line: images a second, batch over the median step. Threads by `RAYON_NUM_THREADS`; for
//! speed build with `RUSTFLAGS="-C target-cpu=native"`.
//!
//! A training step is forward, cross-entropy, backward, SGD with momentum and weight decay (candle's
//! own SGD has neither); an evaluation is forward with running statistics and the loss.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::Instant;

use candle_core::{D, DType, Device, Result, Tensor, TensorId};
use candle_nn::{
    BatchNorm, Conv2d, Conv2dConfig, Linear, Module, ModuleT, VarBuilder, VarMap, batch_norm,
    conv2d_no_bias, linear, loss,
};

struct Norm(Conv2d, BatchNorm);

impl Norm {
    fn new(i: usize, o: usize, stride: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let config = Conv2dConfig {
            padding: 1,
            stride,
            ..Default::default()
        };
        Ok(Self(
            conv2d_no_bias(i, o, 3, config, vb.pp("conv"))?,
            batch_norm(o, 1e-5, vb.pp("bn"))?,
        ))
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.1.forward_t(&self.0.forward(x)?, train)
    }
}

struct Block {
    one: Norm,
    two: Norm,
    /// Zero channels before and after, of option A.
    pad: usize,
}

impl Block {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self
            .two
            .forward(&self.one.forward(x, train)?.relu()?, train)?;
        let x = if self.pad == 0 {
            x.clone()
        } else {
            let (n, c, h, w) = x.dims4()?;
            let pairs = x.reshape((n, c, h / 2, 2, w / 2, 2))?;
            let first = pairs.narrow(3, 0, 1)?.narrow(5, 0, 1)?;
            first
                .reshape((n, c, h / 2, w / 2))?
                .pad_with_zeros(1, self.pad, self.pad)?
        };
        (y + x)?.relu()
    }
}

struct Net {
    stem: Norm,
    blocks: Vec<Block>,
    head: Linear,
}

impl Net {
    fn new(depth: usize, vb: VarBuilder<'_>) -> Result<Self> {
        let stem = Norm::new(3, 16, 1, vb.pp("stem"))?;
        let (mut blocks, mut i) = (Vec::new(), 16);
        for o in [16, 32, 64] {
            for _ in 0..(depth - 2) / 6 {
                let vb = vb.pp(blocks.len());
                let stride = if i == o { 1 } else { 2 };
                blocks.push(Block {
                    one: Norm::new(i, o, stride, vb.pp(0))?,
                    two: Norm::new(o, o, 1, vb.pp(1))?,
                    pad: (o - i) / 2,
                });
                i = o;
            }
        }
        Ok(Self {
            stem,
            blocks,
            head: linear(64, 10, vb.pp("head"))?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = self.stem.forward(x, train)?.relu()?;
        for block in &self.blocks {
            x = block.forward(&x, train)?;
        }
        self.head.forward(&x.mean(D::Minus1)?.mean(D::Minus1)?)
    }
}

/// Momentum 0.9, weight decay 1e-4, rate 1e-3.
fn update(
    map: &VarMap,
    gradients: &candle_core::backprop::GradStore,
    velocity: &mut HashMap<TensorId, Tensor>,
) -> Result<()> {
    for var in map.all_vars() {
        let Some(gradient) = gradients.get(&var) else {
            continue;
        };
        let gradient = (gradient + (var.as_tensor() * 1e-4)?)?;
        let new = match velocity.get(&var.id()) {
            Some(old) => ((old * 0.9)? + gradient)?,
            None => gradient,
        }
        .detach();
        var.set(&(var.as_tensor() - (&new * 1e-3)?)?)?;
        velocity.insert(var.id(), new);
    }
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [work, model, batch, steps] = &words[..] else {
        return Err("peer train|eval resnetN BATCH STEPS".into());
    };
    let depth: usize = model
        .strip_prefix("resnet")
        .ok_or("only resnetN is here")?
        .parse()?;
    let (batch, steps): (usize, usize) = (batch.parse()?, steps.parse()?);
    let device = Device::Cpu;
    let map = VarMap::new();
    let net = Net::new(depth, VarBuilder::from_varmap(&map, DType::F32, &device))?;
    let parameters: usize = net_parameters(&map);
    let x = Tensor::randn(0f32, 1.0, (batch, 3, 32, 32), &device)?;
    let y = Tensor::from_iter((0..batch).map(|i| (i % 10) as u32), &device)?;
    let mut velocity = HashMap::new();
    let mut step = || -> Result<f64> {
        let start = Instant::now();
        let training = work == "train";
        let error = loss::cross_entropy(&net.forward(&x, training)?, &y)?;
        if training {
            update(&map, &error.backward()?, &mut velocity)?;
        }
        error.to_scalar::<f32>()?;
        Ok(start.elapsed().as_secs_f64())
    };
    step()?;
    println!("{{\"ready\": true}}");
    for line in std::io::stdin().lock().lines() {
        line?;
        let mut seconds = (0..steps).map(|_| step()).collect::<Result<Vec<f64>>>()?;
        seconds.sort_by(f64::total_cmp);
        let middle = (seconds[(steps - 1) / 2] + seconds[steps / 2]) / 2.0;
        println!(
            "{{\"peer\": \"candle\", \"work\": \"{work}\", \"model\": \"{model}\", \"batch\": {batch}, \
             \"parameters\": {parameters}, \"steps\": {steps}, \"step_ms\": {}, \"images_per_s\": {}}}",
            1e3 * middle,
            batch as f64 / middle
        );
    }
    Ok(())
}

/// Running statistics are no parameters.
fn net_parameters(map: &VarMap) -> usize {
    let data = map.data().lock().unwrap_or_else(|e| e.into_inner());
    let trained = data.iter().filter(|(name, _)| !name.contains("running"));
    trained.map(|(_, var)| var.elem_count()).sum()
}
