//! Which model of images, and its sizes: torchvision's names, and what is common to ResNet and AlexNet.

use crate::alexnet::{self, AlexNetConfig};
use crate::resnet;
use crate::resnet_config::{Depth, ResNetConfig, Stem};
use crate::{Error, Parameter, Real};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The published width of the first stage, for ResNet and AlexNet.
const WIDTH: usize = 64;

/// Which model, and its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum ImageModelConfig {
    /// Of 18, 34 or 50 layers.
    ResNet(ResNetConfig),
    /// With dropout.
    AlexNet(AlexNetConfig),
}

impl ImageModelConfig {
    /// The names that [`ImageModelConfig::named`] knows.
    pub const NAMES: [&str; 4] = ["resnet18", "resnet34", "resnet50", "alexnet"];

    /// The model that torchvision has under this name, for images of some size, with some channels and classes.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such name.
    pub fn named(name: &str, stem: Stem, channels: usize, classes: usize) -> Result<Self, Error> {
        let resnet = |depth| {
            Ok(Self::ResNet(ResNetConfig {
                depth,
                stem,
                channels,
                classes,
                width: WIDTH,
            }))
        };
        match name {
            "resnet18" => resnet(Depth::D18),
            "resnet34" => resnet(Depth::D34),
            "resnet50" => resnet(Depth::D50),
            "alexnet" => Ok(Self::AlexNet(AlexNetConfig {
                stem,
                channels,
                classes,
                dropout: 0.5,
                width: WIDTH,
            })),
            _ => Err(Error::Unknown {
                what: "image model",
                name: name.to_string(),
                known: Self::NAMES.join(", "),
            }),
        }
    }

    /// Every parameter, in the order of the flat buffer.
    pub fn parameters(&self) -> Vec<Parameter> {
        match self {
            Self::ResNet(config) => config.parameters(),
            Self::AlexNet(config) => config.parameters(),
        }
    }

    /// Initial parameters, as torchvision draws them, but for a ResNet's last bias, which is 0.
    pub fn init<F: Real>(&self, generator: &mut dyn Rng) -> Vec<F> {
        match self {
            Self::ResNet(_) => resnet::init(&self.parameters(), generator),
            Self::AlexNet(_) => alexnet::init(&self.parameters(), generator),
        }
    }

    /// The same model with another width of its first stage, to which all other widths are proportional.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        match &mut self {
            Self::ResNet(config) => config.width = width,
            Self::AlexNet(config) => config.width = width,
        }
        self
    }

    /// The same model with another probability of dropping; a ResNet has none.
    #[must_use]
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        if let Self::AlexNet(config) = &mut self {
            config.dropout = dropout;
        }
        self
    }

    /// Width of the first stage.
    pub fn width(&self) -> usize {
        match self {
            Self::ResNet(config) => config.width,
            Self::AlexNet(config) => config.width,
        }
    }

    /// Channels of an image.
    pub fn channels(&self) -> usize {
        match self {
            Self::ResNet(config) => config.channels,
            Self::AlexNet(config) => config.channels,
        }
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        match self {
            Self::ResNet(config) => config.classes,
            Self::AlexNet(config) => config.classes,
        }
    }

    /// Rows and columns of the smallest image that the model takes.
    pub fn smallest_image(&self) -> usize {
        match self {
            Self::ResNet(_) => 1,
            Self::AlexNet(config) => config.smallest_image(),
        }
    }

    /// Names and channels of the batch normalisations.
    pub(crate) fn norms(&self) -> Vec<(String, usize)> {
        match self {
            Self::ResNet(config) => {
                let convolutions = config.convolutions().into_iter();
                convolutions.map(|c| (c.norm, c.channels[1])).collect()
            }
            Self::AlexNet(_) => Vec::new(),
        }
    }

    /// Checks that such a model can exist.
    ///
    /// # Errors
    /// [`Error::Config`] names the field.
    pub fn validate(&self) -> Result<(), Error> {
        for (field, value, most) in [
            ("channels", self.channels(), 1 << 20),
            ("classes", self.classes(), 1 << 20),
            ("width", self.width(), 1 << 12),
        ] {
            if !(1..=most).contains(&value) {
                return Err(Error::Config {
                    field,
                    value: value.to_string(),
                    problem: format!("must be from 1 to {most}"),
                });
            }
        }
        match self {
            Self::ResNet(_) => Ok(()),
            Self::AlexNet(config) => config.check(),
        }
    }
}
