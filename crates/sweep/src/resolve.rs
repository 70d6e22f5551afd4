//! From what is written of a run to its resolved configuration, every default filled in.

use reslab_nn::data::DataSettings;
use reslab_nn::error::ModelError;
use reslab_nn::families::{InitSettings, ModelSettings, WrittenModel};
use reslab_nn::train::TrainSettings;
use reslab_probes::ProbeSettings;
use reslab_probes::layers::MeasureSettings;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::file::{Key, Mistake, Node, Value, from_node};

/// One run, resolved: all that its result depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunConfig {
    /// Data.
    pub data: DataSettings,
    /// Network.
    pub model: ModelSettings,
    /// How parameters start.
    pub init: InitSettings,
    /// Training.
    pub train: TrainSettings,
    /// What is measured.
    pub measure: MeasureSettings,
    /// The instruments that examine the network.
    #[serde(skip_serializing_if = "ProbeSettings::is_empty")]
    pub probes: ProbeSettings,
    /// Seed of every random stream of the run.
    pub seed: u64,
}

/// Reads the sections of a run's tree.
pub fn resolve(tree: &Node, seed: u64) -> Result<RunConfig, Mistake> {
    let model = model(tree)?;
    let init: InitSettings = section(tree, "init")?;
    Ok(RunConfig {
        data: section(tree, "data")?,
        init: init.resolved_for(&model),
        model,
        train: section(tree, "train")?,
        measure: section(tree, "measure")?,
        probes: section(tree, "probes")?,
        seed,
    })
}

fn section<T: serde::de::DeserializeOwned>(tree: &Node, name: &str) -> Result<T, Mistake> {
    match tree.get(name) {
        Some(node) if ["data", "model"].contains(&name) => from_node(&named(node), name),
        Some(node) => from_node(node, name),
        None => from_node(&Node::empty(tree.at), name),
    }
}

/// The one-word form `model: resnet20` is the name.
fn named(node: &Node) -> Node {
    match &node.value {
        Value::Scalar { .. } if !node.is_null() => {
            let key = Key {
                text: "name".to_owned(),
                at: node.at,
            };
            Node {
                value: Value::Mapping(vec![(key, node.clone())]),
                at: node.at,
            }
        }
        _ => node.clone(),
    }
}

fn model(tree: &Node) -> Result<ModelSettings, Mistake> {
    let written: WrittenModel = section(tree, "model")?;
    written
        .resolve()
        .map_err(|error| model_mistake(tree, &error))
}

/// A network that cannot be built, told at the setting at fault.
pub fn model_mistake(tree: &Node, error: &ModelError) -> Mistake {
    let setting = match error {
        ModelError::UnknownName { .. } => "name",
        ModelError::Depth { .. } => "depth",
        ModelError::Range { setting, .. } | ModelError::NotApplicable { setting, .. } => setting,
        ModelError::TooLarge { .. } => "width",
        ModelError::NoOutputs | ModelError::Shape(_) => "",
    };
    let written = tree
        .get("model")
        .is_some_and(|model| model.get(setting).is_some());
    let path = if written {
        format!("model.{setting}")
    } else {
        "model.name".to_owned()
    };
    Mistake::new(tree.locate(&path), error.to_string())
}

impl RunConfig {
    /// The configuration as it is stored and hashed: a change of anything here is another run.
    ///
    /// Where data and weights lie is left out: the same data elsewhere are the same run, and
    /// weights count by their checksum. Settings that
    /// are absent are left out too, so that a new optional setting leaves old runs what they are.
    pub fn identity(&self) -> Json {
        let mut json = serde_json::to_value(self).unwrap_or(Json::Null);
        if let Some(data) = json.get_mut("data").and_then(Json::as_object_mut) {
            data.remove("root");
        }
        if let Some(init) = json.get_mut("init").and_then(Json::as_object_mut) {
            init.remove("weights");
        }
        let to = json.pointer_mut("/probes/landscape/interpolation");
        if let Some(to) = to.and_then(Json::as_object_mut) {
            to.remove("weights");
        }
        without_nulls(json)
    }
}

fn without_nulls(json: Json) -> Json {
    match json {
        Json::Object(entries) => {
            let kept = entries.into_iter().filter(|(_, value)| !value.is_null());
            Json::Object(
                kept.map(|(k, v)| (k, without_nulls(v)))
                    .collect::<Map<_, _>>(),
            )
        }
        other => other,
    }
}
