//! Which of Burn's backends computes.

use crate::Error;
use serde::{Deserialize, Serialize};

/// The place where tensors live and are computed.
pub type Device = burn::tensor::Device;

/// A backend by name. `cuda` and `wgpu` exist in builds with the cargo feature of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Pure Rust on the CPU, with SIMD and threads: the default, and the one whose results are
    /// the same bits in every run.
    #[default]
    Flex,
    /// NVIDIA GPUs.
    Cuda,
    /// Any GPU through Vulkan, Metal, DirectX or WebGPU.
    Wgpu,
}

impl Backend {
    /// The first device of this backend.
    ///
    /// # Errors
    /// [`Error::Unknown`] if this build was made without the backend's cargo feature.
    pub fn device(self) -> Result<Device, Error> {
        match self {
            Backend::Flex => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Backend::Cuda => Ok(Device::cuda(0)),
            #[cfg(feature = "wgpu")]
            Backend::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(not(all(feature = "cuda", feature = "wgpu")))]
            other => Err(Error::Unknown {
                what: "backend",
                name: format!("{other:?}").to_lowercase(),
                known: "flex (cuda and wgpu need a build with --features cuda or --features wgpu)"
                    .to_string(),
            }),
        }
    }
}
