//! What networks and their settings are called.

use reslab_results::Cell;

use super::{Network, Networks};

impl Networks {
    /// What a column is called: `group width` for `model_group_width`.
    pub fn setting_name(&self, column: usize) -> String {
        let name = self.columns[column].as_str();
        name.strip_prefix("model_")
            .unwrap_or(name)
            .replace('_', " ")
    }

    /// A network's value of a setting in words, or its default where that is known here.
    pub fn value(&self, network: &Network, column: usize) -> Option<String> {
        match &network.settings[column] {
            Cell::Null => {
                default_value(&self.columns[column], network.family.as_deref()).map(Into::into)
            }
            value => Some(value.to_string()),
        }
    }

    /// The column's place among the varying settings.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The network told by these settings: numbers stand behind their name, named values alone.
    /// An unset number that has no known default is left out.
    pub fn describe(&self, network: &Network, columns: &[usize]) -> String {
        self.told(network, columns, |_| true)
    }

    /// The same where no heading names the settings: values that do not tell by themselves what
    /// they are, such as `A`, have their name too.
    pub fn describe_fully(&self, network: &Network, columns: &[usize]) -> String {
        self.told(network, columns, |column| self.is_told_by_value(column))
    }

    fn told(&self, network: &Network, columns: &[usize], alone: impl Fn(usize) -> bool) -> String {
        let part = |&column: &usize| {
            if self.columns[column] == "model_residual" {
                return Some(
                    if network.residual {
                        "residual"
                    } else {
                        "plain"
                    }
                    .into(),
                );
            }
            let value = self.value(network, column)?;
            let named = value.parse::<f64>().is_err() && value != "true" && value != "false";
            Some(if named && alone(column) {
                value
            } else {
                format!("{} {value}", self.setting_name(column))
            })
        };
        let parts: Vec<String> = columns.iter().filter_map(part).collect();
        if parts.is_empty() {
            "default".into()
        } else {
            parts.join(", ")
        }
    }

    /// Values of two letters and more tell by themselves what they are; `A` does not.
    fn is_told_by_value(&self, column: usize) -> bool {
        let short = |network: &Network| {
            self.value(network, column)
                .is_some_and(|value| value.chars().count() < 2)
        };
        !self.networks.iter().any(short)
    }
}

/// What the documentation of experiment files promises of settings that are not written.
fn default_value(column: &str, family: Option<&str>) -> Option<&'static str> {
    match (column, family) {
        ("model_placement", Some("wide")) => Some("pre-activation"),
        ("model_placement", Some("cifar" | "imagenet")) => Some("original"),
        ("model_shortcut", Some("cifar")) => Some("A"),
        ("model_shortcut", Some("wide" | "imagenet" | "d2l")) => Some("B"),
        ("model_block", Some("cifar")) => Some("basic"),
        ("model_cardinality", _) => Some("1"),
        ("model_group_width", _) => Some("64"),
        _ => None,
    }
}
