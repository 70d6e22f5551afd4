//! `reslab eval`: weights on a data set, class by class.

use std::time::Instant;

use reslab_nn::data::{self, ChannelStatistics, DataSettings, Dataset, Normalize, Targets};
use reslab_nn::engine::{Engine, Loss};
use reslab_nn::families::{self, WrittenModel};
use reslab_nn::import::{Head, WeightsFile};
use reslab_nn::network::Network;
use reslab_nn::train::{Scores, score};
use reslab_results::summary::{Format, render};
use reslab_results::{Cell, ColumnSpec, Kind, Schema, Table};
use serde_json::{Value, json};

use crate::arguments::{EvalArguments, SplitName};
use crate::message::{Ending, Failure};
use crate::output;

/// Evaluates and prints.
pub fn eval(arguments: &EvalArguments) -> Result<Ending, Failure> {
    let pool = output::threads(arguments.threads)?;
    let (dataset, network, scores, seconds) = pool.install(|| evaluate(arguments))?;
    if arguments.json {
        let mut found = as_json(arguments, &dataset, &network, &scores);
        found["threads"] = json!(pool.current_num_threads());
        found["seconds"] = json!(seconds);
        output::print_json_line(&found)?;
    } else {
        output::print(&in_words(arguments, &dataset, &network, &scores, seconds))?;
    }
    Ok(Ending::Well)
}

/// Loads what is needed, the cheapest first, and times the evaluation.
fn evaluate(arguments: &EvalArguments) -> Result<(Dataset, Network, Scores, f64), Failure> {
    let failure = |error: &dyn std::error::Error| Failure::from_error(error);
    let written = WrittenModel {
        name: Some(arguments.model.clone()),
        width: arguments.width,
        ..WrittenModel::default()
    };
    let model = written.resolve().map_err(|error| failure(&error))?;
    let settings = data_settings(arguments)?;
    let described = data::describe(&settings).map_err(|error| failure(&error))?;
    let network = families::build(&model, described.shape, described.outputs)
        .map_err(|error| failure(&error))?;
    let file = WeightsFile::read(&arguments.weights).map_err(|error| failure(&error))?;
    let mut parameters = vec![0.0; network.layout.parameter_count()];
    let mut state = network.layout.initial_state();
    file.assign(&network, Head::Keep, &mut parameters, &mut state)
        .map_err(|error| failure(&error))?;
    let dataset = data::load(&settings).map_err(|error| failure(&error))?;

    let split = match arguments.split {
        SplitName::Test => &dataset.test,
        SplitName::Train => &dataset.train,
    };
    if split.len == 0 {
        return Err(Failure::Input(format!(
            "{} has no samples to test on.",
            dataset.name
        )));
    }
    let loss = match split.targets {
        Targets::Classes(_) => Loss::default(),
        Targets::Values { .. } => Loss::SquaredError,
    };
    let started = Instant::now();
    let mut engine =
        Engine::for_evaluation(&network, arguments.batch).map_err(|error| failure(&error))?;
    let outputs = network.outputs;
    let scores = score(
        &mut engine,
        &parameters,
        &state,
        split,
        outputs,
        &loss,
        arguments.batch,
    );
    let seconds = started.elapsed().as_secs_f64();
    Ok((dataset, network, scores, seconds))
}

/// The settings that load what is evaluated and no more. The other set is only needed where
/// statistics are computed from it.
fn data_settings(arguments: &EvalArguments) -> Result<DataSettings, Failure> {
    let failure = |error: data::DataError| Failure::from_error(&error);
    let mut settings = DataSettings {
        name: arguments.data.parse().map_err(failure)?,
        root: arguments.data_root.clone(),
        resize: arguments.resize,
        pad: arguments.pad,
        channels: arguments.channels,
        normalize: arguments.normalize.parse().map_err(failure)?,
        ..DataSettings::default()
    };
    let computed = settings.normalize == Normalize::Computed;
    match arguments.split {
        SplitName::Test => {
            settings.test_limit = arguments.limit;
            settings.train_limit = (!computed).then_some(1);
        }
        SplitName::Train => {
            if computed && arguments.limit.is_some() {
                // The statistics are those of all training samples, not of the few.
                let found = data::load(&settings).map_err(failure)?.normalization;
                let given = ChannelStatistics {
                    mean: found.mean,
                    std: found.std,
                };
                settings.normalize = Normalize::Given(given);
            }
            settings.train_limit = arguments.limit;
        }
    }
    Ok(settings)
}

/// Every number; shares are from 0 to 1.
fn as_json(
    arguments: &EvalArguments,
    dataset: &Dataset,
    network: &Network,
    scores: &Scores,
) -> Value {
    let total = scores.total;
    let share = |wrong: usize| (total - wrong) as f64 / total as f64;
    let found = scores.classification.as_ref();
    let classes: Option<Vec<Value>> = found.map(|found| {
        let class = |(class, &(wrong, total)): (usize, &(usize, usize))| {
            json!({
                "class": class,
                "name": dataset.class_names.get(class),
                "wrong": wrong,
                "total": total,
            })
        };
        found.classes.iter().enumerate().map(class).collect()
    });
    json!({
        "model": network.name,
        "weights": arguments.weights.display().to_string(),
        "data": dataset.name,
        "split": split_name(arguments.split),
        "normalize": dataset.normalization.origin,
        "mean": dataset.normalization.mean,
        "std": dataset.normalization.std,
        "wrong": found.map(|found| found.wrong),
        "total": total,
        "loss": scores.loss,
        "top1": found.map(|found| share(found.wrong)),
        "top5": found.and_then(|found| found.wrong_top).map(share),
        "classes": classes,
    })
}

fn split_name(split: SplitName) -> &'static str {
    match split {
        SplitName::Test => "test",
        SplitName::Train => "train",
    }
}

/// A line for the whole, a table of the classes.
fn in_words(
    arguments: &EvalArguments,
    dataset: &Dataset,
    network: &Network,
    scores: &Scores,
    seconds: f64,
) -> String {
    let total = scores.total;
    let of_what = match arguments.split {
        SplitName::Test => "test samples",
        SplitName::Train => "training samples",
    };
    let mut text = format!(
        "{} on {total} {of_what} of {}\n",
        network.name, dataset.name
    );
    let loss = scores.loss;
    let Some(found) = &scores.classification else {
        return format!("{text}loss {loss:.5} (mean squared error), in {seconds:.2} s\n");
    };
    let percent = |wrong: usize, total: usize| 100.0 * (total - wrong) as f64 / total as f64;
    text.push_str(&format!(
        "wrong {} of {total}, loss {loss:.5} (mean, nats)\n",
        found.wrong
    ));
    text.push_str(&format!("right {:.2} %", percent(found.wrong, total)));
    if let Some(wrong) = found.wrong_top {
        text.push_str(&format!(
            ", among the first five {:.2} %",
            percent(wrong, total)
        ));
    }
    text.push_str(&format!(", in {seconds:.2} s\n\n"));
    let columns = ["class", "wrong", "total", "right %"];
    let columns = columns.map(|name| ColumnSpec::new(name, Kind::Text, "", ""));
    let mut table = Table::new(Schema::new("classes", columns.to_vec()));
    for (class, &(wrong, total)) in found.classes.iter().enumerate() {
        let name = dataset.class_names.get(class);
        let right = if total == 0 {
            "".to_owned()
        } else {
            format!("{:.2}", percent(wrong, total))
        };
        let cells = [
            name.cloned().unwrap_or_else(|| class.to_string()),
            wrong.to_string(),
            total.to_string(),
            right,
        ];
        table.rows.push(cells.map(Cell::Text).to_vec());
    }
    text.push_str(&render(&table, Format::Table));
    text
}
