//! What a run takes of time, memory and disk: from its sizes, and from how fast this machine
//! multiplies matrices. Right to a factor of two or so; what else the machine does is not known.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use optical_encoder::{EncodeSettings, Outline};
use optical_tokenize::TokenizeError;
use rayon::prelude::*;

/// Shares of the speed of plain products that steps, encoding and searching reached where they were
/// measured: the quickstart on two cores with AVX-512 (docs/experiments.md).
const STEPS: f64 = 0.6;
const ENCODING: f64 = 0.7;
const SEARCHING: f64 = 0.8;
/// What batches of sentences of like length are padded by.
const PADDING: f64 = 1.1;
/// Bytes a second that the optimiser goes through memory with; of a weight it reads and writes seven
/// numbers of four.
const OPTIMISER: f64 = 8e9 / 28.0;
/// Texts that are looked at to say how long they are.
const SAMPLE: usize = 512;

/// How many texts there are, and how many tokens they have in the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Texts {
    pub count: usize,
    pub tokens: f64,
}

impl Texts {
    /// Looks at some of the texts.
    pub fn of(
        outline: &Outline,
        texts: &[String],
        encode: EncodeSettings,
    ) -> Result<Self, TokenizeError> {
        let some = texts.iter().step_by(texts.len().div_ceil(SAMPLE).max(1));
        let some: Vec<&str> = some.map(String::as_str).collect();
        let maximum = encode.maximum_length.min(outline.config.maximum_length());
        let tokens = outline.tokenizer.encode_many(&some, encode.role, maximum)?;
        let tokens: usize = tokens.iter().map(|it| it.ids.len()).sum();
        Ok(Self {
            count: texts.len(),
            tokens: tokens as f64 / some.len().max(1) as f64,
        })
    }

    fn all(self) -> f64 {
        self.count as f64 * self.tokens
    }
}

/// The sizes of an encoder.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Width of a token vector.
    pub hidden: usize,
    /// Layers of its checkpoint, and those that are used.
    pub layers: [usize; 2],
    /// Entries of its vocabulary.
    pub vocabulary: usize,
    /// Numbers in its checkpoint's weights.
    pub parameters: usize,
}

impl Sizes {
    /// Reads the sizes of a model of which some layers are used.
    pub fn of(outline: &Outline, layers: usize) -> Self {
        Self {
            hidden: outline.config.hidden_size,
            layers: [outline.config.num_hidden_layers, layers],
            vocabulary: outline.config.vocab_size,
            parameters: outline.parameters,
        }
    }

    fn embedding(&self) -> f64 {
        (self.vocabulary * self.hidden) as f64
    }

    /// Weights of the layers in use.
    fn in_layers(&self) -> f64 {
        let [all, used] = self.layers.map(|it| it as f64);
        used * (self.parameters as f64 - self.embedding()).max(0.0) / all.max(1.0)
    }

    /// Operations of a text: a product and a sum for each weight, and attention to the other tokens.
    fn forward(&self, tokens: f64) -> f64 {
        let attention = 4.0 * self.hidden as f64 * tokens * self.layers[1] as f64;
        tokens * (2.0 * self.in_layers() + attention)
    }
}

/// The sizes that decide what a run takes.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub teacher: Sizes,
    pub student: Sizes,
    /// Entries of the vocabulary in the pairs looked at, how many these were, and their tokens on the
    /// teacher's side and the student's, and bytes.
    pub pieces: usize,
    pub sampled: usize,
    pub pair_tokens: [usize; 2],
    pub pair_bytes: usize,
    /// Whether the teacher reads each sentence once, and not in each step.
    pub once: bool,
    /// Pairs to train on, and pairs that are held out.
    pub pairs: usize,
    pub held_out: usize,
    /// Readings of the instruments.
    pub readings: u64,
    pub steps: u64,
    /// Pairs of all steps of the stage before, which a student of its own has.
    pub english: u64,
    pub batch: usize,
    /// Parts of a batch that go side by side.
    pub parts: usize,
    /// Whether the best student so far is kept.
    pub stops: bool,
    pub repetitions: usize,
    /// Queries of all languages.
    pub queries: Texts,
    pub documents: Texts,
    /// Queries and documents that a student is judged by on the way.
    pub development: (usize, usize),
    /// Systems that translate, and documents that a run keeps.
    pub systems: usize,
    pub depth: usize,
}

/// What a run takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Need {
    /// Numbers in the weights of a student, and those outside of its word embedding.
    pub parameters: [f64; 2],
    /// Operations of a student that reads a query.
    pub query: f64,
    /// Pairs to train on.
    pub pairs: usize,
    /// Seconds of a step.
    pub step: f64,
    /// Seconds of the English stages.
    pub english: f64,
    /// Seconds of all other steps, with readings.
    pub training: f64,
    /// Seconds of encoding documents.
    pub encoding: f64,
    /// Seconds of rankings.
    pub searching: f64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes in the run folder.
    pub run_folder: u64,
    /// Bytes in it that the students take.
    pub student: u64,
    /// Bytes in the cache.
    pub cache: u64,
    steps: u64,
    documents: usize,
    queries: usize,
}

/// Operations a second of products of matrices as wide as a model, with all threads.
pub fn speed(device: &Device, hidden: usize) -> f64 {
    let rows = 256;
    let random = |shape| Tensor::<2>::random(shape, Distribution::Default, device);
    let (x, weight) = (random([rows, hidden]), random([hidden, 4 * hidden]));
    let threads = rayon::current_num_threads();
    let product = || {
        (0..threads).into_par_iter().for_each(|_| {
            // Devices work on after a call returns: the value waits for them.
            let _ = x.clone().matmul(weight.clone()).sum().into_data();
        });
    };
    product();
    let (began, mut products) = (Instant::now(), 0.0);
    while began.elapsed() < Duration::from_millis(300) {
        product();
        products += threads as f64;
    }
    products * 2.0 * (rows * hidden * 4 * hidden) as f64 / began.elapsed().as_secs_f64()
}

impl Need {
    /// What a run of such sizes takes where `speed` operations are made a second by `threads`.
    pub fn of(shape: &Shape, speed: f64, threads: usize) -> Self {
        let Shape {
            teacher, student, ..
        } = shape;
        let (hidden, wide) = (teacher.hidden as f64, student.hidden as f64);
        let mean = |side: usize| shape.pair_tokens[side] as f64 / shape.sampled.max(1) as f64;
        let [target, input] = [0, 1].map(|side| mean(side) * PADDING);
        // Backward goes through each product twice.
        let of_teacher = teacher.forward(target);
        let (in_steps, before) = if shape.once {
            (0.0, of_teacher)
        } else {
            (of_teacher, 0.0)
        };
        let pair = in_steps + 3.0 * student.forward(input);
        let side_by_side = shape.parts.min(threads).max(1) as f64 / threads.max(1) as f64;
        let growth = (shape.pairs as f64 / shape.sampled.max(1) as f64)
            .max(1.0)
            .sqrt();
        let pieces = (shape.pieces as f64 * growth).min(student.vocabulary as f64);
        let weights = student.in_layers() + pieces * wide;
        let step = shape.batch as f64 * pair / (speed * STEPS * side_by_side) + weights / OPTIMISER;

        let document = teacher.forward(shape.documents.tokens);
        let (asked, judging) = shape.development;
        let encoded = (shape.documents.count + judging) as f64;
        let encoding = encoded * document / (speed * ENCODING);
        let vectors = shape.documents.all();
        let judged = asked as f64 * judging as f64 * shape.documents.tokens;
        let query = |documents: f64| 2.0 * hidden * shape.queries.tokens * documents;
        let read = shape.held_out as f64 * student.forward(input) / (speed * ENCODING)
            + query(judged) / (speed * SEARCHING);
        let students = shape.repetitions as f64;
        // The unmodified encoder, the same after the head, on English, and every student.
        let ranked = (3.0 + students) * query(vectors) * shape.queries.count as f64;
        let tokens = shape.batch as f64 * (target + input);
        let index = 2.0 * hidden * (2.0 * vectors + judging as f64 * shape.documents.tokens);
        let saved = 4.0 * (student.in_layers() + student.embedding());
        let checkpoints = 2.0 * 12.0 * weights + if shape.stops { 4.0 * weights } else { 0.0 };
        let systems = shape.systems as f64 + 6.0 + students;
        let kept = shape.depth.min(shape.documents.count) as f64;
        let rankings = 45.0 * systems * shape.queries.count as f64 * kept;
        let pair_bytes = shape.pair_bytes as f64 / shape.sampled.max(1) as f64;
        let english = shape.english as f64 / shape.batch.max(1) as f64;
        Self {
            parameters: [student.embedding(), 0.0].map(|embedding| student.in_layers() + embedding),
            query: student.forward(shape.queries.tokens),
            pairs: shape.pairs,
            step,
            english: students * english * step,
            training: students * (shape.steps as f64 * step + shape.readings as f64 * read)
                + shape.pairs as f64 * before / (speed * ENCODING),
            encoding,
            searching: ranked / (speed * SEARCHING),
            // The teacher as it is read, on the device, as the student begins, in the mean at the end;
            // the student with gradients, two momenta and what is copied; what a backward pass needs;
            // vectors; and the tokenizer.
            memory: (8.0 * (teacher.parameters + student.parameters) as f64
                + 24.0 * weights
                + 4.0 * 24.0 * wide * tokens * student.layers[1] as f64
                + index
                + 1500.0 * teacher.vocabulary as f64) as u64,
            run_folder: (students * saved + checkpoints + rankings) as u64,
            student: (students * saved) as u64,
            cache: (index + shape.pairs as f64 * (pair_bytes + 60.0 + 4.0 * (target + input)))
                as u64,
            steps: shape.steps * shape.repetitions as u64,
            documents: shape.documents.count + judging,
            queries: shape.queries.count,
        }
    }

    /// All of it in words.
    pub fn table(&self, folder: &Path, cache: &Path) -> String {
        let mut text = "on this machine, within a factor of two or so, the run takes\n".to_owned();
        let training = self.english + self.training;
        let whole = training + self.encoding + self.searching;
        let (steps, documents, queries) = (self.steps, self.documents, self.queries);
        let _ = writeln!(
            text,
            "  time    {}: {steps} steps of {:.2} s {}, {documents} documents {}, {queries} queries {}",
            duration(whole),
            self.step,
            duration(training),
            duration(self.encoding),
            duration(self.searching)
        );
        let _ = writeln!(text, "  memory  {}", size(self.memory));
        let _ = writeln!(
            text,
            "  disk    {} in {}, {} in {}",
            size(self.run_folder),
            folder.display(),
            size(self.cache),
            cache.display()
        );
        text
    }
}

/// A time in words.
pub fn duration(seconds: f64) -> String {
    match seconds {
        few if few < 90.0 => format!("{:.0} s", few.ceil()),
        some if some < 5400.0 => format!("{:.0} min", some / 60.0),
        many => format!("{:.1} h", many / 3600.0),
    }
}

fn size(bytes: u64) -> String {
    match bytes as f64 {
        few if few < 1e9 => format!("{:.0} MB", (few / 1e6).ceil()),
        many => format!("{:.1} GB", many / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quickstart: multilingual-e5-small, 16 pairs of up to 36 tokens, 4,000 verses, 300 queries in
    /// each of six languages.
    fn quickstart() -> Shape {
        let sizes = Sizes {
            hidden: 384,
            layers: [12, 12],
            vocabulary: 250_037,
            parameters: 117_650_000,
        };
        Shape {
            teacher: sizes,
            student: sizes,
            english: 0,
            once: false,
            pieces: 22_000,
            sampled: 16_000,
            pair_tokens: [16_000 * 24, 16_000 * 27],
            pair_bytes: 16_000 * 200,
            pairs: 45_000,
            held_out: 400,
            readings: 5,
            steps: 800,
            batch: 16,
            parts: 2,
            stops: false,
            repetitions: 1,
            queries: Texts {
                count: 1800,
                tokens: 35.0,
            },
            documents: Texts {
                count: 4000,
                tokens: 35.0,
            },
            development: (0, 0),
            systems: 0,
            depth: 1000,
        }
    }

    /// Measured on two cores with AVX-512, which multiply at about 190 GFLOP/s: 545 s of training in
    /// steps of .68 s, 39 s of indexing, 121 to 177 s of search, 3.7 GiB of memory, 401 MB a
    /// checkpoint (docs/experiments.md).
    #[test]
    fn the_quickstart_takes_what_it_took_to_a_factor_of_two() {
        let need = Need::of(&quickstart(), 190e9, 2);
        let close = |found: f64, measured: f64| {
            assert!(
                (measured / 2.0..measured * 2.0).contains(&found),
                "{found}, measured {measured}"
            );
        };
        close(need.step, 0.68);
        close(need.training, 545.0);
        close(need.encoding, 39.0);
        close(need.searching, 150.0);
        close(need.memory as f64, 3.7 * 1024.0 * 1024.0 * 1024.0);
        assert_eq!(need.student, 4 * 117_650_000);
    }

    #[test]
    fn more_of_anything_takes_more_and_nothing_divides_by_nothing() {
        let need = Need::of(&quickstart(), 190e9, 2);
        let more = |change: &dyn Fn(&mut Shape)| {
            let mut shape = quickstart();
            change(&mut shape);
            Need::of(&shape, 190e9, 2)
        };
        assert!(need.training * 1.9 < more(&|it| it.repetitions = 2).training);
        let with_english = more(&|it| it.english = it.steps * 16);
        assert_eq!(with_english.english, with_english.step * 800.0);
        assert!(need.step * 1.2 < more(&|it| it.student.parameters *= 2).step);
        assert!(need.step * 1.5 < more(&|it| it.parts = 1).step);
        assert!(more(&|it| it.once = true).step < need.step * 0.9);
        assert!(need.encoding * 1.9 < more(&|it| it.documents.count *= 2).encoding);
        assert!(need.run_folder < more(&|it| it.stops = true).run_folder);
        let nothing = more(&|it| {
            (it.sampled, it.pairs) = (0, 0);
            (it.teacher.layers, it.student.layers) = ([0, 0], [0, 0]);
            it.documents = Texts::default();
        });
        assert!(nothing.step.is_finite() && nothing.searching == 0.0);
    }

    #[test]
    fn a_speed_is_a_speed() {
        assert!(1e6 < speed(&Device::default(), 32));
    }

    #[test]
    fn numbers_are_round() {
        let shown = [0.2, 89.0, 600.0, 7200.0].map(duration);
        assert_eq!(shown, ["1 s", "89 s", "10 min", "2.0 h"]);
        assert_eq!([1, 3_000_000_000].map(size), ["1 MB", "3.0 GB"]);
    }
}
