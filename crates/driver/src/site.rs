//! Where stages run, as this program has it: the cache of the platform, the devices of the arguments.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use optical_experiment::Site;
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

/// Makes the site of a command that computes on some devices.
pub fn of(
    devices: Vec<Device>,
    backend: Backend,
    offline: bool,
    host: Host,
) -> anyhow::Result<Site> {
    Ok(Site {
        store: store(offline, host)?,
        devices,
        backend: format!("{backend:?}").to_lowercase(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
        temporary: std::env::temp_dir(),
        programs: std::env::var_os("PATH").unwrap_or_default(),
    })
}

/// Makes the site of a command on one device.
pub fn on(backend: Backend, offline: bool, host: Host) -> anyhow::Result<Site> {
    of(vec![backend.open()?], backend, offline, host)
}

/// Makes the site of a training, and says what is wrong with its devices, if something is. What is only
/// checked keeps nothing, and so listens for nobody.
pub fn training(
    devices: TrainingDevices,
    check_only: bool,
    offline: bool,
) -> anyhow::Result<(Site, Option<String>)> {
    let host = match check_only {
        true => console::unheard(),
        false => console::listening()?,
    };
    let (opened, fault) = match devices.open() {
        Ok(opened) => (opened, None),
        Err(error) => (vec![Device::default()], Some(format!("{error:#}"))),
    };
    Ok((of(opened, devices.device, offline, host)?, fault))
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
