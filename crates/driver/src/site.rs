//! Where stages run, as this program has it: the cache of the platform, the devices of the arguments.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use optical_experiment::{Findings, Site};
use optical_store::{Host, Store};

use crate::console;
use crate::device::{Backend, TrainingDevices};

/// Returns `$OPTICAL_CACHE`, else `optical` in the platform's cache folder.
pub fn cache() -> anyhow::Result<PathBuf> {
    match std::env::var_os("OPTICAL_CACHE") {
        Some(folder) if !folder.is_empty() => Ok(folder.into()),
        _ => dirs::cache_dir()
            .map(|folder| folder.join("optical"))
            .context("this system has no cache folder; set OPTICAL_CACHE"),
    }
}

/// Makes the store of this machine.
pub fn store(offline: bool, host: Host) -> anyhow::Result<Store> {
    let cache = cache()?;
    Ok(Store {
        cache,
        offline,
        hub_token: hub_token(),
        host,
    })
}

/// Finds the user's token of the Hugging Face hub where its own programs keep it.
fn hub_token() -> Option<String> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = || {
        let home = of("HF_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(dirs::home_dir()?.join(".cache/huggingface")));
        std::fs::read_to_string(home?.join("token")).ok()
    };
    let token = of("HF_TOKEN").and_then(|token| token.into_string().ok());
    let token = token.or_else(file)?.trim().to_owned();
    (!token.is_empty()).then_some(token)
}

/// Makes the site of a command on one device.
pub fn on(backend: Backend, offline: bool, host: Host) -> anyhow::Result<Site> {
    of(backend.open()?, backend, offline, host)
}

/// Makes the site of a command that makes no tensor.
pub fn without_device(offline: bool, host: Host) -> anyhow::Result<Site> {
    of(Device::default(), Backend::Flex, offline, host)
}

/// Makes the site of a training; what is wrong with its devices is told with everything else. What is
/// only checked keeps nothing, and so listens for nobody.
pub fn training(
    devices: TrainingDevices,
    check_only: bool,
    offline: bool,
) -> anyhow::Result<(Site, Findings)> {
    let host = match check_only {
        true => console::unheard(),
        false => console::listening()?,
    };
    let mut findings = Findings::default();
    let opened = findings.take(devices.open()).unwrap_or_default();
    let mut opened = opened.into_iter();
    let first = opened.next().unwrap_or_default();
    let site = of(first, devices.device, offline, host)?;
    Ok((site.with_more(opened), findings))
}

fn of(device: Device, backend: Backend, offline: bool, host: Host) -> anyhow::Result<Site> {
    let mut site = Site::new(store(offline, host)?, device);
    site.backend = format!("{backend:?}").to_lowercase();
    site.command = std::env::args().collect::<Vec<_>>().join(" ");
    site.temporary = std::env::temp_dir();
    site.programs = std::env::var_os("PATH").unwrap_or_default();
    Ok(site)
}

/// Refuses an output that would take the place of one of the inputs, by whatever names.
pub fn not_over_input(output: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let place = |path: &Path| path.canonicalize().ok();
    let taken = |input: &&Path| place(input).is_some_and(|input| Some(input) == place(output));
    ensure!(
        !inputs.iter().any(taken),
        "--output {} is an input, too, and would be lost; expected another file",
        output.display()
    );
    Ok(())
}
