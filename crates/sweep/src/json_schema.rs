//! The JSON Schema (draft-07) of experiment files, for editors: completion, documentation and
//! checking while one types. Printed from the settings structs, so it cannot fall behind them.

use reslab_nn::data::DataSettings;
use reslab_nn::families::{InitSettings, WrittenModel};
use reslab_nn::train::TrainSettings;
use reslab_probes::ProbeSettings;
use reslab_probes::layers::MeasureSettings;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use crate::file::written::{SECTIONS, VERDICTS};

/// The schema, as committed in `experiments/schema.json`.
pub fn schema() -> Json {
    let mut generator = SchemaSettings::draft07().into_generator();
    let data = section::<DataSettings>(&mut generator, "the data set, `data: digits`");
    let model = section::<WrittenModel>(&mut generator, "the network, `model: resnet20`");
    let init = generator.subschema_for::<InitSettings>().to_value();
    let train = generator.subschema_for::<TrainSettings>().to_value();
    let measure = generator.subschema_for::<MeasureSettings>().to_value();
    let probes = generator.subschema_for::<ProbeSettings>().to_value();
    let mut definitions = generator.take_definitions(true);
    definitions.extend(sweep_definitions());
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "reslab experiment",
        "description": "An experiment: fixed settings, what varies, and how many seeds.",
        "type": "object",
        "additionalProperties": false,
        "required": ["name"],
        "properties": {
            "name": {
                "description": "Name of the experiment; its results go to a folder of this name.",
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
            },
            "about": about(),
            "data": described(data, "Which data set, how much of it, and what is done to it."),
            "model": described(model, "The network, by name or by settings."),
            "init": described(init, "How parameters start."),
            "train": described(train, "How the network is trained."),
            "measure": described(measure, "What is measured besides losses and errors."),
            "probes": described(probes, "Instruments that examine the network."),
            "seeds": seeds(),
            "sweep": described(json!({"$ref": "#/definitions/Sweep"}), "What varies between runs."),
            "verdict": {
                "description": "The claim that is judged from the tables at the end.",
                "enum": VERDICTS
            }
        },
        "definitions": definitions
    })
}

/// A section that may be written as one word.
fn section<T: JsonSchema>(generator: &mut SchemaGenerator, word: &str) -> Json {
    let settings = generator.subschema_for::<T>().to_value();
    json!({"anyOf": [
        {"type": "string", "description": format!("Only the name of {word}.")},
        settings
    ]})
}

fn described(schema: Json, description: &str) -> Json {
    // Draft-07 ignores what stands beside `$ref`, hence the detour.
    json!({"description": description, "allOf": [schema]})
}

fn about() -> Json {
    let texts = [
        ("title", "One line."),
        ("claim", "What the experiment is to show or refute."),
        ("source", "Paper, section, figure."),
        ("expect", "What is expected to come out, with tolerance."),
        ("cost", "Measured time and machine."),
    ];
    let properties: Map<String, Json> = texts
        .iter()
        .map(|(key, text)| {
            (
                key.to_string(),
                json!({"type": "string", "description": text}),
            )
        })
        .collect();
    json!({
        "description": "What a reader should know; no setting.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties
    })
}

fn seeds() -> Json {
    json!({
        "description": "How many seeds (3 means 0, 1, 2), or a list of them. Every setting is run with each.",
        "default": 1,
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 10_000},
            {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": true}
        ]
    })
}

/// The sweep grammar.
fn sweep_definitions() -> Map<String, Json> {
    let setting = format!("^({})(\\.[A-Za-z0-9_-]+)*$", SECTIONS.join("|"));
    let axes = json!({
        "type": "object",
        "additionalProperties": false,
        "patternProperties": {&setting: {"type": "array", "minItems": 1}}
    });
    let assignment = json!({
        "type": "object",
        "additionalProperties": false,
        "patternProperties": {&setting: {}}
    });
    let sweeps = json!({"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/Sweep"}});
    let bounds = |kind: &str| json!({"type": "array", "items": {"type": kind}, "minItems": 2, "maxItems": 2});
    let distribution = json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {
            "uniform": described(bounds("number"), "Evenly between two numbers."),
            "log_uniform": described(bounds("number"), "Evenly in the logarithm, between two positive numbers."),
            "integer": described(bounds("integer"), "A whole number between two, both possible."),
            "choice": {"description": "One of a list.", "type": "array", "minItems": 1}
        }
    });
    let random = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["count"],
        "properties": {
            "count": {"description": "How many draws.", "type": "integer", "minimum": 1},
            "seed": {"description": "Seed of the draws.", "type": "integer", "minimum": 0, "default": 0}
        },
        "patternProperties": {&setting: {"$ref": "#/definitions/Distribution"}}
    });
    let excluded = format!("^seed$|{setting}");
    let operators = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "grid": described(axes.clone(), "Every combination; the last key varies fastest."),
            "zip": described(axes, "The first values together, then the second ones, and so on."),
            "list": {"description": "Settings as written, one mapping each.", "type": "array", "minItems": 1, "items": assignment},
            "random": described(random, "Seeded draws from distributions."),
            "product": described(sweeps.clone(), "Every combination of the parts."),
            "union": described(sweeps.clone(), "The parts one after the other."),
            "exclude": {
                "description": "Combinations to leave out.",
                "type": "array",
                "items": {"type": "object", "minProperties": 1, "additionalProperties": false, "patternProperties": {excluded: {}}}
            }
        }
    });
    let sweep = json!({
        "description": "Operators beside each other are combined; a list of sweeps is done one after the other.",
        "anyOf": [operators, sweeps]
    });
    [("Sweep", sweep), ("Distribution", distribution)]
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}
