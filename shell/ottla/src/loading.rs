//! From flags, environment and file to layers of settings. Reads, and judges nothing: a bad value is
//! found when the layers are built.

use std::path::Path;

use ottla_config::parse::{self, environment};
use ottla_config::{Layers, Origin, Setting};
use ottla_env::os::OsDisk;
use ottla_env::{File, open_read};

use crate::cli::ServerFlags;
use crate::join::{self, Joining};

/// Largest configuration file that is read.
const FILE_BYTES_MAX: usize = 4 << 20;

/// What was said, and what there is to say about it.
pub(crate) struct Loaded {
    pub(crate) layers: Layers,
    /// Lines for the log.
    pub(crate) notes: Vec<String>,
    pub(crate) joining: Joining,
}

/// All settings, or everything that kept them from being read.
pub(crate) fn load(flags: &ServerFlags) -> Result<Loaded, Vec<String>> {
    let mut errors = Vec::new();
    let mut settings = Vec::new();
    if let Some(path) = &flags.config {
        match file_settings(path) {
            Ok(found) => settings.extend(found),
            Err(found) => errors.extend(found),
        }
    }
    let notes = environment_settings(&mut settings, &mut errors);
    flag_settings(flags, &mut settings, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    // What was learned of the cluster stands behind everything that was said.
    let said = Layers::new(settings.clone());
    let (joined, joining) = join::settings(flags.join.as_deref(), &said)?;
    Ok(Loaded { layers: Layers::new(joined.into_iter().chain(settings)), notes, joining })
}

fn file_settings(path: &Path) -> Result<Vec<Setting>, Vec<String>> {
    let name = path.display().to_string();
    let text = read(path).map_err(|error| vec![format!("cannot read {name}: {error}")])?;
    parse::file(&name, &text).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn environment_settings(settings: &mut Vec<Setting>, errors: &mut Vec<String>) -> Vec<String> {
    // A variable that is not UTF-8 is none of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut environment = environment::parse(variables);
    for file in std::mem::take(&mut environment.files) {
        match read(Path::new(&file.path)) {
            Ok(text) => environment.add_file(&file, &text),
            Err(error) => errors.push(format!(
                "environment variable {}_FILE: cannot read {}: {error}",
                file.variable, file.path
            )),
        }
    }
    let mut notes = environment.notes.clone();
    notes.extend(environment.ignored_note());
    settings.extend(environment.settings);
    notes
}

fn flag_settings(flags: &ServerFlags, settings: &mut Vec<Setting>, errors: &mut Vec<String>) {
    for word in &flags.settings {
        match parse::assignment(word) {
            Ok(setting) => settings.push(setting),
            Err(error) => errors.push(format!("flag --set: {error}")),
        }
    }
    let mut push = |flag: &str, key: &str, value: String| {
        let origin = Origin::Flag { flag: flag.into() };
        settings.push(Setting { key: key.into(), value, origin });
    };
    if let Some(data) = &flags.data {
        push("--data", "log.dirs", data.clone());
    }
    if let Some(listen) = &flags.listen {
        push("--listen", "listeners", format!("PLAINTEXT://{listen}"));
    }
}

/// A whole text file, read without trusting its length: it may be a pipe.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let file = open_read(&OsDisk, path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read =
            file.read_at(&mut chunk, bytes.len() as u64).map_err(|error| error.to_string())?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&chunk[..read]);
        if bytes.len() > FILE_BYTES_MAX {
            return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
        }
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".into())
}
