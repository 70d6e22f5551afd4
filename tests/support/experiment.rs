//! Experiment files, built from a small one.

/// An experiment that trains in a fraction of a second unless told otherwise.
#[derive(Clone)]
pub struct Experiment {
    name: String,
    data: String,
    model: String,
    train: String,
    epochs: usize,
    seeds: String,
    grid: Vec<(String, String)>,
    verdict: Option<String>,
}

impl Experiment {
    /// Two seeds of a small fully connected residual network on a few digits.
    pub fn tiny(name: &str) -> Experiment {
        Experiment {
            name: name.to_owned(),
            data: "{name: digits, train_limit: 80, test_limit: 40}".to_owned(),
            model: "{name: fc-resnet2, width: 12}".to_owned(),
            train: "batch_size: 20, lr: 0.05".to_owned(),
            epochs: 2,
            seeds: "2".to_owned(),
            grid: Vec::new(),
            verdict: None,
        }
    }

    /// A small residual convolution network with batch norm, augmentation and layer tables.
    pub fn convolutional(name: &str) -> Experiment {
        Experiment {
            model: "{name: resnet8, width: 4}".to_owned(),
            train: "batch_size: 20, lr: 0.05, momentum: 0.9, weight_decay: 1e-4, \
                    augment: {crop_padding: 1, flip: true}"
                .to_owned(),
            ..Experiment::tiny(name)
        }
    }

    /// Other data, as YAML.
    pub fn data(self, data: &str) -> Experiment {
        let data = data.to_owned();
        Experiment { data, ..self }
    }

    /// Other training settings, as the inside of a YAML map without `epochs`.
    pub fn train(self, train: &str) -> Experiment {
        let train = train.to_owned();
        Experiment { train, ..self }
    }

    /// So many epochs.
    pub fn epochs(self, epochs: usize) -> Experiment {
        Experiment { epochs, ..self }
    }

    /// A number of seeds, or a list of them.
    pub fn seeds(self, seeds: &str) -> Experiment {
        let seeds = seeds.to_owned();
        Experiment { seeds, ..self }
    }

    /// One more axis of the grid: a setting and its values, as YAML.
    pub fn grid(mut self, key: &str, values: &str) -> Experiment {
        self.grid.push((key.to_owned(), values.to_owned()));
        self
    }

    /// Judged by this claim at the end.
    pub fn verdict(self, claim: &str) -> Experiment {
        let verdict = Some(claim.to_owned());
        Experiment { verdict, ..self }
    }

    /// The name, which is that of its results folder too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file.
    pub fn yaml(&self) -> String {
        let mut text = format!(
            "name: {}\ndata: {}\nmodel: {}\ntrain: {{epochs: {}, {}}}\nseeds: {}\n",
            self.name, self.data, self.model, self.epochs, self.train, self.seeds
        );
        if !self.grid.is_empty() {
            text.push_str("sweep:\n  grid:\n");
            for (key, values) in &self.grid {
                text.push_str(&format!("    {key}: {values}\n"));
            }
        }
        if let Some(claim) = &self.verdict {
            text.push_str(&format!("verdict: {claim}\n"));
        }
        text
    }
}
